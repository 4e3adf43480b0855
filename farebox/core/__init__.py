"""The pure core: values and decisions of Farebox, with the standard library only.

Read in the order of a call: `call` and `features` say what was asked, `classify` how hard it is,
`estimate` what it may cost, `routing` which model serves it, `ledger` which money is held for it.
`allocation` is the controller's half. The one rule: nothing here reads a clock, a socket, a file
or a random number; time and prices are arguments.
"""
