"""Gates at work: checks of answers, the same code when profiling and in production.

`checks` are those that need nothing but the answer; `grading` and `agreement` ask another model,
`functions` the user's own code. `panel` runs a task's gates in their order. Imports the core only.
"""
