"""Croissant metadata of a release (mlcommons.org/croissant/1.0): files with their sha256, configs as record sets."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import JsonValue

from curation.card.card import CardFacts
from curation.card.columns import FIELDS
from schemas.dataset.layout import config_record
from schemas.dataset.release import ConfigSummary, ReleaseSummary
from schemas.storage.tables import EncodedImage

PARQUET = "application/x-parquet"
_CONTEXT: dict[str, JsonValue] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(summary: ReleaseSummary, card: CardFacts, *, hashes: Mapping[str, str]) -> dict[str, JsonValue]:
    """The JSON-LD of a release; `hashes` gives the sha256 of every data file by its place in the release."""
    files = [file for config in summary.configs for file in config.files]
    described = "Partial unlearning of personal facts in multimodal models: facts by name and by face, with roles."
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "ppu-bench" if summary.part != "gated" else "ppu-bench-gated",
        "alternateName": card.title,
        "description": described,
        "license": "https://huggingface.co/datasets/" + card.repository + "/blob/main/ATTRIBUTION.md",
        "url": "https://huggingface.co/datasets/" + card.repository,
        "version": card.version or "0.0.0",
        "citeAs": "PPU-Bench, arXiv:2605.08800",
        "isLiveDataset": False,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "contentUrl": file,
                "encodingFormat": PARQUET,
                "sha256": hashes[file],
            }
            for file in files
        ],
        "recordSet": [record_set for config in summary.configs for record_set in _record_sets(config, card.target)],
    }


def _record_sets(config: ConfigSummary, target: str) -> Iterator[JsonValue]:
    """One record set a file, since a field has one source; a config of several files has several of them."""
    for number, file in enumerate(config.files):
        name = config.name if len(config.files) == 1 else f"{config.name}/{number}"
        yield {
            "@type": "cr:RecordSet",
            "@id": name,
            "name": name,
            "description": f"Rows of config {config.name}, split {config.split}, in {file}.",
            "field": [
                {
                    "@type": "cr:Field",
                    "@id": f"{name}/{column}",
                    "name": column,
                    "description": FIELDS[column].replace("`", ""),
                    **_data_type(info.annotation),
                    "source": {
                        "fileObject": {"@id": file},
                        "extract": {"column": column},
                        **_bytes_of(info.annotation),
                    },
                }
                for column, info in config_record(config.name, target=target).model_fields.items()
            ],
        }


def _plain(annotation: object) -> object:
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _plain(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation


def _data_type(annotation: object) -> dict[str, JsonValue]:
    kind = _plain(annotation)
    if kind is EncodedImage:
        return {"dataType": "sc:ImageObject"}
    if get_origin(kind) is tuple:
        return {**_data_type(get_args(kind)[0]), "repeated": True}
    return {"dataType": "sc:Integer" if kind is int else "sc:Text"}


def _bytes_of(annotation: object) -> dict[str, JsonValue]:
    return {"transform": {"jsonPath": "bytes"}} if _plain(annotation) is EncodedImage else {}
