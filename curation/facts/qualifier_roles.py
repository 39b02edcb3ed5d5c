"""What qualifiers do to a statement: read, date, end, doubt or limit it. Loaded from qualifiers.toml and checked."""

import tomllib
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from schemas.errors import BadInput
from schemas.records.entities import Qualifier, Statement
from schemas.storage.tables import Record

TABLE = Path(__file__).with_name("qualifiers.toml")

Role = Literal["read", "dates", "ends", "doubts", "limits", "ignored"]


class QualifierRule(Record):
    """One row of the table: qualifiers of one role."""

    ids: tuple[Annotated[str, Field(pattern=r"^P[1-9]\d*$")], ...]
    role: Role
    items_stand: bool = False
    reason: str = ""

    @model_validator(mode="after")
    def _complete(self) -> "QualifierRule":
        if (self.role == "ignored") != bool(self.reason):
            raise ValueError("an ignored qualifier has a reason, and no other has one")
        return self


class QualifierRoles(Record):
    """The whole table."""

    rules: Annotated[tuple[QualifierRule, ...], Field(alias="qualifier")]

    @cached_property
    def by_id(self) -> dict[str, QualifierRule]:
        """The rule of each qualifier that has one."""
        return {each: rule for rule in self.rules for each in rule.ids}

    @model_validator(mode="after")
    def _once(self) -> "QualifierRoles":
        ids = [each for rule in self.rules for each in rule.ids]
        doubled = sorted({each for each in ids if ids.count(each) > 1})
        if doubled:
            raise ValueError(f"{doubled[0]} stands twice")
        return self

    def ends(self, statement: Statement) -> bool:
        """Whether the statement says that it has ended, at a known or unknown time, or only why."""
        return any(rule.role == "ends" for _, rule in self._said(statement))

    def doubt(self, statement: Statement, *, many_items: bool) -> str:
        """The first qualifier for which the statement is not asked: it doubts or limits it; "" if there is none.

        `many_items`: the value is one item among several that may be true.
        """
        for each, rule in self._said(statement):
            if rule.role in ("doubts", "limits") and not (rule.items_stand and many_items):
                return each.property_id
        return ""

    def limited(self, statement: Statement) -> str:
        """The first qualifier that limits the statement's other qualifiers; "" if there is none."""
        return next((each.property_id for each, rule in self._said(statement) if rule.role == "limits"), "")

    def unknown(self, statement: Statement) -> list[str]:
        """Qualifiers that the table does not know, each once."""
        return list(dict.fromkeys(q.property_id for q in statement.qualifiers if q.property_id not in self.by_id))

    def _said(self, statement: Statement) -> Iterator[tuple[Qualifier, QualifierRule]]:
        """The known qualifiers that say something: a value, or that there is one."""
        for each in statement.qualifiers:
            if each.snak != "novalue" and each.property_id in self.by_id:
                yield each, self.by_id[each.property_id]


@lru_cache(maxsize=4)
def load_qualifiers(path: Path = TABLE) -> QualifierRoles:
    """The checked table; raises BadInput naming the file and what is wrong."""
    try:
        return QualifierRoles.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BadInput(str(path), "no such file", "restore curation/facts/qualifiers.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(str(path), f"is not TOML ({error})", "mend the line named") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{path}, {'.'.join(map(str, first['loc']))}", first["msg"], "mend the row") from error
