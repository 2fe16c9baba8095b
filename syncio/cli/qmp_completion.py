"""What TAB offers: the commands of a server, their arguments, and the values of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import SyncioError

__all__ = ["Completer", "Schema"]

Entity = Mapping[str, Any]
NOTHING: Entity = {}


class Schema:
    """What 'query-qmp-schema' says (QEMU's docs/devel/qapi-code-gen, "Client JSON Protocol introspection").

    :param entities: the answer.
    """

    def __init__(self, entities: Iterable[Entity] = ()) -> None:
        self._entities = {str(entity.get("name")): entity for entity in entities}

    def arguments(self, command: str, given: Mapping[str, str], stem: str) -> list[str]:
        """The keys that begin with a stem and are not given: with '=' behind them, or '.' if they nest.

        :param given: what is typed already; it decides between variants.
        """
        prefix = stem[: stem.rfind(".") + 1]
        found: list[str] = []
        for name, kind in self._members(self._kind(command, given, prefix), given, prefix):
            entity = self._entities.get(kind, NOTHING)
            ends = {"object": ".", "alternate": "=."}.get(str(entity.get("meta-type")), "=")
            found.extend(f"{prefix}{name}{end}" for end in ends if f"{prefix}{name}" not in given)
        return [key for key in found if key.startswith(stem)]

    def values(self, command: str, given: Mapping[str, str], key: str) -> list[str]:
        """The values of an argument, if they can be counted."""
        prefix, last = key[: key.rfind(".") + 1], key[key.rfind(".") + 1 :]
        kinds = dict(self._members(self._kind(command, given, prefix), given, prefix))
        entity = self._entities.get(kinds.get(last, ""), NOTHING)
        if entity.get("meta-type") == "enum":
            names = [member.get("name") for member in entity.get("members", ())]  # servers before 6.2 have only the old
            return names or list(entity.get("values", ()))
        return ["true", "false"] if entity.get("json-type") == "boolean" else []

    def _kind(self, command: str, given: Mapping[str, str], prefix: str) -> str:
        """The name of the type of an object: a command's arguments, or what is at 'key.' or 'key.key.' in them."""
        kind, done = str(self._entities.get(command, NOTHING).get("arg-type", "")), ""
        for part in prefix.split(".")[:-1]:
            kind = dict(self._members(kind, given, done)).get(part, "")
            done += f"{part}."
        return kind

    def _members(self, kind: str, given: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
        """The members of an object and their types, with those of the variant that is given."""
        entity = self._entities.get(kind, NOTHING)
        if entity.get("meta-type") == "alternate":
            kinds = [str(member.get("type")) for member in entity.get("members", ())]
            kind = next((name for name in kinds if self._entities.get(name, NOTHING).get("meta-type") == "object"), "")
            entity = self._entities.get(kind, NOTHING)
        if entity.get("meta-type") != "object":
            return
        for member in entity.get("members", ()):
            yield str(member.get("name")), str(member.get("type"))
        chosen = given.get(f"{prefix}{entity.get('tag')}")
        for variant in entity.get("variants", ()):
            if variant.get("case") == chosen:
                yield from self._members(str(variant.get("type")), given, prefix)


class Completer:
    """Asks the server for its commands, and for its schema when an argument is completed: once each.

    :param ask: executes a command of that name; returns its answer.
    """

    def __init__(self, ask: Callable[[str], Any]) -> None:
        self._ask = ask
        self._commands: list[str] | None = None
        self._schema: Schema | None = None

    def candidates(self, before: Sequence[str], stem: str) -> list[str]:
        """What a word can become.

        :param before: the words that stand before it.
        :param stem: what is typed of it.
        """
        words = before[1:] if before[:1] == ["transaction("] else before
        if not words:
            return [f"{name} " for name in self.commands if name.startswith(stem)]
        given = {key: text for key, _, text in (word.partition("=") for word in words[1:])}
        key, equals, text = stem.partition("=")
        if not equals:
            return self.schema.arguments(words[0], given, stem)
        values = self.schema.values(words[0], given, key)
        return [f"{key}={value} " for value in values if value.startswith(text)]

    @property
    def commands(self) -> list[str]:
        """Their names; none if the server does not tell."""
        if self._commands is None:
            answer = self._answer("query-commands") or self._answer("guest-info")
            infos = answer.get("supported_commands", []) if isinstance(answer, dict) else answer
            self._commands = sorted(info["name"] for info in infos)
        return self._commands

    @property
    def schema(self) -> Schema:
        """What they take; nothing if the server does not tell."""
        if self._schema is None:
            self._schema = Schema(self._answer("query-qmp-schema"))
        return self._schema

    def _answer(self, command: str) -> Any:
        try:
            return self._ask(command)
        except SyncioError:
            return []
