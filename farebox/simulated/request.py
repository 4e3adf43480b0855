"""The body of a chat call: decoded, checked, or refused in OpenAI's error shape.

The one rule: what this file refuses is never billed. It knows the shape of a request, not what it
costs nor what is answered.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal, NoReturn

import msgspec

answers_max = 128
"""OpenAI's bound on `n`."""
messages_max = 10_000
tools_max = 128

_PATH = re.compile(r"`\$\.?([^`]*)`")
_MISSING = re.compile(r"missing required field `(\w+)`")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class Refused(Exception):
    """An answer without a bill: a status and a body in OpenAI's error shape."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self._error = {"message": message, "type": kind, "param": param, "code": code}

    def body(self) -> bytes:
        return msgspec.json.encode({"error": self._error})


class FunctionCall(msgspec.Struct, frozen=True):
    name: str
    arguments: str = ""


class ToolCall(msgspec.Struct, frozen=True):
    function: FunctionCall


class Message(msgspec.Struct, frozen=True):
    role: Role
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """The fields of the body that make a difference here; all others are accepted and ignored."""

    model: str
    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def max_tokens_asked(self) -> int | None:
        """The caller's limit per answer, in tokens."""
        if self.max_tokens is None:
            return self.max_completion_tokens
        return self.max_tokens

    @property
    def usage_wanted(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def tool_wanted(self) -> dict[str, Any] | None:
        """The function that the answer calls: on a user's turn with tools, else None."""
        if not self.tools or self.tool_choice == "none" or self.messages[-1].role != "user":
            return None
        functions: list[dict[str, Any]] = [tool["function"] for tool in self.tools]
        if isinstance(self.tool_choice, dict):
            return self._named_tool(functions, self.tool_choice)
        return functions[0]

    def _named_tool(
        self, functions: list[dict[str, Any]], choice: dict[str, Any]
    ) -> dict[str, Any]:
        named = choice.get("function")
        name = named.get("name") if isinstance(named, dict) else None
        for function in functions:
            if function["name"] == name:
                return function
        raise Refused(400, "tool_choice names a function that tools lacks.", param="tool_choice")

    @property
    def answer_schema(self) -> dict[str, Any] | None:
        """The JSON schema that the answer must follow; {} for any JSON object; None for text."""
        if self.response_format is None:
            return None
        match self.response_format.get("type"):
            case "json_object":
                return {}
            case "json_schema":
                schema = self.response_format["json_schema"].get("schema")
                return schema if isinstance(schema, dict) else {}
            case _:
                return None


_decoder = msgspec.json.Decoder(ChatRequest)


def parse_request(body: bytes) -> ChatRequest:
    """Decode and check a body.

    Raises:
        Refused: 400, in OpenAI's error shape, naming the field.
    """
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        _refuse_shape(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(400, "We could not parse the JSON body of your request.") from None
    _check_values(request)
    _check_tools(request)
    _check_format(request)
    return request


def _refuse_shape(problem: str) -> NoReturn:
    missing = _MISSING.search(problem)
    path = _PATH.search(problem)
    if missing is not None:
        where = f"{path[1]}.{missing[1]}" if path is not None and path[1] else missing[1]
        message = f"Missing required parameter: '{where}'."
        raise Refused(400, message, param=where, code="missing_required_parameter")
    where = path[1] if path is not None else ""
    raise Refused(400, f"Invalid request: {problem}.", param=where or None, code="invalid_type")


def _check_values(request: ChatRequest) -> None:
    if not 1 <= len(request.messages) <= messages_max:
        message = f"'messages' must have 1 to {messages_max} items."
        raise Refused(400, message, param="messages", code="invalid_value")
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' together is not supported."
        raise Refused(400, message, param="max_tokens", code="invalid_parameter_combination")
    limits = {
        "max_tokens": request.max_tokens,
        "max_completion_tokens": request.max_completion_tokens,
    }
    for name, value in limits.items():
        if value is not None and value < 1:
            message = f"Invalid '{name}': expected at least 1, got {value}."
            raise Refused(400, message, param=name, code="integer_below_min_value")
    if request.n is not None and not 1 <= request.n <= answers_max:
        message = f"Invalid 'n': expected 1 to {answers_max}, got {request.n}."
        raise Refused(400, message, param="n", code="invalid_value")


def _check_tools(request: ChatRequest) -> None:
    tools = request.tools or []
    if len(tools) > tools_max:
        raise Refused(400, f"'tools' has more than {tools_max} items.", param="tools")
    for index, tool in enumerate(tools):
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or _TOOL_NAME.fullmatch(name) is None:
            where = f"tools[{index}].function.name"
            raise Refused(400, f"Missing or invalid parameter: '{where}'.", param=where)


def _check_format(request: ChatRequest) -> None:
    answer_format = request.response_format
    if answer_format is None:
        return
    kind = answer_format.get("type")
    if kind not in {"text", "json_object", "json_schema"}:
        message = "'response_format.type' must be text, json_object or json_schema."
        raise Refused(400, message, param="response_format.type", code="invalid_value")
    if kind == "json_schema" and not isinstance(answer_format.get("json_schema"), dict):
        where = "response_format.json_schema"
        message = f"Missing required parameter: '{where}'."
        raise Refused(400, message, param=where, code="missing_required_parameter")
