"""What `/v1/embeddings` takes and gives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field

MAX_INPUTS = 256
"""Inputs in one request."""


class EmbeddingsIn(BaseModel):
    """Texts or pictures of garments to embed."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        use_attribute_docstrings=True,
        json_schema_extra={"example": {"input": ["Loose blue linen dress", "Slim black jeans"], "modality": "text"}},
    )

    input: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MAX_INPUTS), FailFast()]
    """Texts, or JPEG, PNG or WebP files in base64."""
    modality: Literal["text", "image"]


class EmbeddingOut(BaseModel):
    """One input's embedding."""

    index: int
    embedding: list[float]


class EmbeddingsOut(BaseModel):
    """Embeddings in the inputs' order."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "example": {
                "data": [{"index": 0, "embedding": [0.25, -1.5]}],
                "model": "0123456789abcdef",
                "encoder": "fedcba9876543210",
                "dim": 2,
            }
        },
    )

    data: list[EmbeddingOut]
    model: str
    encoder: str
    """The encoder's fingerprint: embeddings of the same one compare, whatever else of the model has changed."""
    dim: int
