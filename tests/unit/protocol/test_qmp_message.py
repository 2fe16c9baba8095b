"""QMP messages: JSON objects as bytes and as mappings. Pure."""

from __future__ import annotations

import json
import pickle

import pytest

from syncio.protocol.qmp import DeserializationError, Message, QMPError, UnexpectedTypeError

LINE = b'{"execute": "stop", "arguments": {"a": [1, 2.5, null, true]}}\r\n'


def test_bytes_are_decoded() -> None:
    """A message that is made from bytes is the mapping that they stand for."""
    message = Message(LINE)
    assert dict(message) == {"execute": "stop", "arguments": {"a": [1, 2.5, None, True]}}
    assert len(message) == 2 and list(message) == ["execute", "arguments"]
    assert "execute" in message and "id" not in message and message.get("id") is None


def test_bytes_stay_as_they_came() -> None:
    """A message that is made from bytes keeps them until it is changed."""
    message = Message(LINE)
    assert bytes(message) == LINE
    message["id"] = "x"
    assert json.loads(bytes(message)) == {**json.loads(LINE), "id": "x"}


def test_bytes_are_compact() -> None:
    """A message that is made from a mapping is JSON without blanks, in one line."""
    assert bytes(Message({"a": 1, "b": [2, {"c": "\n"}]})) == b'{"a":1,"b":[2,{"c":"\\n"}]}'


def test_change_is_seen_in_bytes() -> None:
    """Setting and deleting members shows in bytes that were asked for before."""
    message = Message({"a": 1})
    assert bytes(message) == b'{"a":1}'
    message["b"] = 2
    assert bytes(message) == b'{"a":1,"b":2}'
    del message["a"]
    assert bytes(message) == b'{"b":2}'


def test_empty_message() -> None:
    """A message of nothing is an empty object."""
    assert bytes(Message()) == b"{}" and len(Message()) == 0 and bytes(Message({})) == b"{}"


def test_text_is_for_people() -> None:
    """As text a message is set out in lines, two blanks deep."""
    assert str(Message({"a": {"b": 1}})) == '{\n  "a": {\n    "b": 1\n  }\n}'


def test_unicode_survives() -> None:
    """Letters of all kinds come through, encoded or as UTF-8."""
    words = 'naïve — 漢字 \U0001f600 "quoted"'
    assert Message(bytes(Message({"a": words})))["a"] == words
    assert Message(json.dumps({"a": words}, ensure_ascii=False).encode())["a"] == words


def test_mapping_of_the_caller_stays_as_it_is() -> None:
    """Changing a message does not change the mapping that it was made from."""
    mapping = {"a": 1}
    Message(mapping)["b"] = 2
    assert mapping == {"a": 1}


def test_copy_is_deep() -> None:
    """A copy shares nothing with its original."""
    message = Message({"data": {"list": [1]}})
    copy = message.copy()
    copy["data"]["list"].append(2)
    assert message["data"]["list"] == [1] and copy["data"]["list"] == [1, 2]


def test_messages_compare_by_what_they_say() -> None:
    """Messages are equal if their members are, and equal to such mappings."""
    assert Message(b'{"a" : 1}') == Message({"a": 1}) == {"a": 1}
    assert Message({"a": 1}) != Message({"a": 2})


@pytest.mark.parametrize("line", [b"", b"nonsense\n", b"{\n", b'{"a": }\n', b'{"a": "\xff"}\n', b"{} {}\n", b"\x00\n"])
def test_what_is_no_json(line: bytes) -> None:
    """Bytes that are no JSON are an error that has them, and that is a QMPError."""
    with pytest.raises(DeserializationError) as caught:
        Message(line)
    assert caught.value.raw == line and isinstance(caught.value, QMPError)
    assert "no JSON" in str(caught.value)


@pytest.mark.parametrize("value", [[1], "words", 3, 2.5, None, True])
def test_what_is_no_object(value: object) -> None:
    """JSON that is no object is an error that has its value."""
    with pytest.raises(UnexpectedTypeError) as caught:
        Message(json.dumps(value).encode())
    assert caught.value.value == value and type(value).__name__ in str(caught.value)


def test_line_that_was_cut_says_so() -> None:
    """A line without its end is told from one that is wrong."""
    with pytest.raises(DeserializationError, match="connection may have ended in it"):
        Message(b'{"return": {"ver')
    with pytest.raises(DeserializationError) as caught:
        Message(b'{"return": {"ver\n')
    assert "ended in it" not in str(caught.value)


def test_nesting_that_is_too_deep() -> None:
    """JSON that no parser can hold is an error like any other."""
    with pytest.raises(DeserializationError, match="nested too deeply"):
        Message(b"[" * 200_000)


def test_error_shows_the_beginning_only() -> None:
    """A long line is not repeated in the words of its error."""
    with pytest.raises(DeserializationError) as caught:
        Message(b"x" * 100_000)
    assert len(str(caught.value)) < 300


def test_lazy_message_decodes_when_it_is_looked_into() -> None:
    """With eager=False what is wrong is found at the first look."""
    message = Message(b"nonsense", eager=False)
    assert bytes(message) == b"nonsense" and "nonsense" in repr(message)
    with pytest.raises(DeserializationError):
        len(message)


def test_errors_survive_pickling() -> None:
    """Errors of messages can go to another process."""
    for error in (DeserializationError("words", b"raw"), UnexpectedTypeError("words", [1])):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.args, str(again)) == (type(error), error.args, "words")
