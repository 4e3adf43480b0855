"""The contract between sidecar and controller.

`messages` are the values that both sides think in and `v1` is the generated protobuf code. Only
`codec` and, for the policy in a message, `policy_codec` know both; `checks` refuses bad fields.
"""
