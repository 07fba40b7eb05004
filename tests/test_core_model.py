from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tryon_core.batch import CHART, LOOK_TASKS, MEASUREMENTS, PARTS, SIZE_FIELDS, Column, Part, register_part
from tryon_core.config import (
    FUSIONS,
    IMAGE_ENCODERS,
    TEXT_ENCODERS,
    FusionConfig,
    ImageTower,
    ModelConfig,
    NumbersTower,
    TextTower,
)
from tryon_core.errors import ConfigError
from tryon_core.model import Model
from tryon_core.presets import preset
from tryon_core.tasks import TASKS

Examples = list[dict[str, Any]]
MakeBatch = Callable[[Any], dict[str, Column[Any]]]

GIVEN_PARTS = ("photo", "shopper_words", "garment_image", "garment_words", "size", "history")


def small_config(image: str, text: str, fusion: str) -> ModelConfig:
    numbers = NumbersTower(embedding_dim=6, hidden=6)
    return ModelConfig(
        name="small",
        parts={
            "photo": "image",
            "garment_image": "image",
            "shopper_words": "text",
            "garment_words": "text",
            "size": "size",
            "history": "history",
            "ease": "ease",
            "verdict": "verdict",
        },
        towers={
            "image": ImageTower(
                encoder=image,
                height=32,
                width=32,
                stages=(4, 4),
                embedding_dim=8,
                depth=1,
                hidden_dim=32,
                num_heads=2,
            ),
            "text": TextTower(encoder=text, width=8, depth=2, num_heads=2, embedding_dim=8),
            "size": numbers,
            "history": numbers,
            "ease": numbers,
            "verdict": numbers,
        },
        fusion=FusionConfig(kind=fusion, width=16, num_heads=2, depth=1, interactions=True),
        tasks=dict.fromkeys(TASKS, 1.0),
    )


@dataclass
class Subject:
    model: Model
    examples: Examples


COMBINATIONS = dict.fromkeys(
    [
        *((image, "gru", fusion) for image, fusion in itertools.product(IMAGE_ENCODERS, FUSIONS)),
        *(("cnn", text, fusion) for text, fusion in itertools.product(TEXT_ENCODERS, FUSIONS)),
    ]
)
"""Every encoder with every fusion."""


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def subject(request: pytest.FixtureRequest, make_examples: Any, make_batch: MakeBatch) -> Subject:
    """A model of one combination, in evaluation, whose normalisations know the examples."""
    torch.manual_seed(0)
    model = Model(small_config(*request.param))
    examples = make_examples(model.config, 4)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        model.train()(make_batch(examples))
        model.heads["match"].weight.mul_(100)  # new towers say nearly the same of every pair
    return Subject(model.eval(), examples)


def answers(model: Model, batch: Mapping[str, Column[Any]]) -> dict[str, Tensor]:
    with torch.no_grad():
        return model(batch)


def row(outputs: dict[str, Tensor], number: int) -> Tensor:
    return torch.cat([outputs[task][number] for task in TASKS])


def test_an_answer_does_not_depend_on_its_batch_neighbours(subject: Subject, make_batch: MakeBatch) -> None:
    together = answers(subject.model, make_batch(subject.examples))
    for number, example in enumerate(subject.examples):
        alone = answers(subject.model, make_batch([example]))
        torch.testing.assert_close(row(alone, 0), row(together, number), atol=1e-3, rtol=0)
    assert all(together[task].std(dim=0).max() > 1e-3 for task in TASKS)


def lacking_each_part(example: dict[str, Any]) -> Examples:
    return [{name: value for name, value in example.items() if name != part} for part in GIVEN_PARTS]


def test_a_row_may_lack_any_part_and_then_that_parts_content_cannot_matter(subject: Subject, make_batch: MakeBatch) -> None:
    whole, *fillers = subject.examples
    first, second = (
        answers(subject.model, make_batch([filler, *lacking_each_part(whole), whole])) for filler in fillers[:2]
    )
    for number in range(1, len(GIVEN_PARTS) + 1):
        assert row(first, number).isfinite().all()
        torch.testing.assert_close(row(first, number), row(second, number), atol=1e-4, rtol=0)
        assert (row(first, number) - row(first, -1)).abs().max() > 1e-4


def test_a_row_with_nothing_at_all_is_answered_like_any_other_such_row(subject: Subject, make_batch: MakeBatch) -> None:
    outputs = answers(subject.model, make_batch([{}, subject.examples[0], {}]))
    assert row(outputs, 0).isfinite().all()
    torch.testing.assert_close(row(outputs, 0), row(outputs, 2), atol=1e-6, rtol=0)
    nothing = answers(subject.model, {"shopper_words": Column([], np.full(2, -1))})
    torch.testing.assert_close(row(nothing, 1), row(outputs, 0), atol=1e-5, rtol=0)


def test_gradient_reaches_every_learnt_parameter(subject: Subject, make_batch: MakeBatch) -> None:
    model = copy.deepcopy(subject.model).train()
    torch.manual_seed(1)
    outputs = model(make_batch(subject.examples))
    torch.stack([(output * torch.randn_like(output)).sum() for output in outputs.values()]).sum().backward()
    learnt = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    silent = [name for name, parameter in learnt.items() if parameter.grad is None or not parameter.grad.any()]
    assert not silent
    assert all(parameter.grad.isfinite().all() for parameter in learnt.values())  # type: ignore[union-attr]
    held = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    fixed = {f"fusions.{view}.log_weights" for view in model.fusions}
    assert held == (set() if model.config.fusion.kind == "weighted" else fixed)


def test_an_answer_does_not_depend_on_the_order_of_the_batch(
    tiny_model: Model, make_examples: Any, make_batch: MakeBatch
) -> None:
    examples = make_examples(tiny_model.config, 6)
    together, turned = answers(tiny_model, make_batch(examples)), answers(tiny_model, make_batch(examples[::-1]))
    for task in TASKS:
        torch.testing.assert_close(turned[task].flip(0), together[task], atol=1e-4, rtol=0)


def test_a_value_that_rows_share_is_encoded_once_and_answers_as_if_apart(
    tiny_model: Model, make_examples: Any, make_batch: MakeBatch
) -> None:
    one, other = make_examples(tiny_model.config, 2)
    shared = make_batch([one, other | {"person_mask": one["person_mask"], "shopper_words": one["shopper_words"]}])
    assert len(shared["person_mask"].values) == len(shared["shopper_words"].values) == 1
    apart = make_batch([one, other | {"person_mask": one["person_mask"].copy(), "shopper_words": one["shopper_words"]}])
    assert len(apart["person_mask"].values) == 2
    for task in TASKS:
        torch.testing.assert_close(answers(tiny_model, shared)[task], answers(tiny_model, apart)[task])


def test_the_body_is_seen_from_the_shoppers_parts_alone_and_the_category_from_the_garments(
    tiny_model: Model, make_examples: Any, make_batch: MakeBatch
) -> None:
    one, other = make_examples(tiny_model.config, 2)
    garments = {name: other[name] for name in ("garment_image", "garment_words", "size", "history")}
    shoppers = {name: other[name] for name in ("person_mask", "shopper_words")}
    plain = answers(tiny_model, make_batch([one]))
    torch.testing.assert_close(answers(tiny_model, make_batch([one | garments]))["body"], plain["body"])
    torch.testing.assert_close(answers(tiny_model, make_batch([one | shoppers]))["category"], plain["category"])
    assert (answers(tiny_model, make_batch([one | shoppers]))["body"] - plain["body"]).abs().max() > 1e-4
    assert (answers(tiny_model, make_batch([one | garments]))["category"] - plain["category"]).abs().max() > 1e-4


def test_ease_is_the_chart_less_the_predicted_body(tiny_model: Model, make_examples: Any, make_batch: MakeBatch) -> None:
    seen: list[Tensor] = []
    hook = tiny_model.towers["ease"].register_forward_hook(lambda module, given, result: seen.append(given[0]))
    examples = make_examples(tiny_model.config, 3)
    outputs = answers(tiny_model, make_batch(examples))
    hook.remove()
    body = TASKS["body"].predict(outputs["body"], 1.0).numpy()
    expected = [
        [example["size"][SIZE_FIELDS.index(f"{key}_{end}")] - body[number, MEASUREMENTS.index(key)]]
        for number, example in enumerate(examples)
        for key in CHART
        for end in ("low", "high")
    ]
    np.testing.assert_allclose(seen[0].numpy().reshape(-1, 1), expected, atol=1e-4)


def test_the_pair_tasks_do_not_teach_the_body_through_the_ease(
    tiny_model: Model, make_examples: Any, make_batch: MakeBatch
) -> None:
    model = copy.deepcopy(tiny_model)
    model(make_batch(make_examples(model.config, 4)))["fit"].square().sum().backward()
    assert all(parameter.grad is None for parameter in model.heads["body"].parameters())


def test_the_match_does_not_teach_what_its_verdict_comes_from(
    tiny_model: Model, make_examples: Any, make_batch: MakeBatch
) -> None:
    model = copy.deepcopy(tiny_model)
    model(make_batch(make_examples(model.config, 4)))["match"].square().sum().backward()
    assert all(p.grad is None for task in ("fit", *LOOK_TASKS) for p in model.heads[task].parameters())


def test_a_size_column_that_no_row_has_is_as_good_as_none(tiny_model: Model) -> None:
    words = Column(["tall", "short"], np.arange(2))
    empty = Column(np.zeros((0, len(SIZE_FIELDS)), np.float32), np.full(2, -1))
    with_it = answers(tiny_model, {"shopper_words": words, "size": empty})
    torch.testing.assert_close(with_it["fit"], answers(tiny_model, {"shopper_words": words})["fit"])


def test_embeddings_are_rounded_to_what_travels_in_evaluation_only(tiny_model: Model) -> None:
    embedding = tiny_model.encode("shopper_words", ["165 cm, loose"])
    torch.testing.assert_close(embedding, embedding.half().float(), atol=0, rtol=0)
    training = copy.deepcopy(tiny_model).train().encode("shopper_words", ["165 cm, loose"])
    assert (training != training.half().float()).any()


@pytest.fixture
def audio() -> Iterator[Part]:
    """A third modality, known to the registry for the time of one test."""
    part = register_part(Part("audio", "numbers", "shopper", 8))
    yield part
    del PARTS["audio"]


def test_a_third_modality_is_an_entry_and_a_line_of_config(audio: Part, make_examples: Any, make_batch: MakeBatch) -> None:
    tiny = preset("tiny")
    config = replace(
        tiny,
        parts={**tiny.parts, "audio": "audio"},
        towers={**tiny.towers, "audio": NumbersTower(embedding_dim=8, hidden=8)},
    )
    torch.manual_seed(0)
    model = Model(config)
    examples = make_examples(config, 16)
    kept = torch.tensor([float(example["audio"][0] > 0) for example in examples])
    tastes = [task for task in config.tasks if task.startswith("taste")]
    targets = {"match": kept} | {t: kept[:, None].expand(-1, TASKS[t].num_outputs) for t in tastes}
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        outputs = model(make_batch(examples))
        loss = torch.stack([TASKS[task].loss(outputs[task], target) for task, target in targets.items()]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    model.eval()
    whole = answers(model, make_batch(examples[:1]))
    other = answers(model, make_batch([examples[0] | {"audio": -examples[0]["audio"]}]))
    silent = answers(model, make_batch([{k: v for k, v in examples[0].items() if k != "audio"}]))
    assert (other["match"] - whole["match"]).abs().item() > 1e-3
    assert (other["body"] - whole["body"]).abs().max() > 1e-4
    torch.testing.assert_close(other["category"], whole["category"])
    assert silent["match"].isfinite().all()


def test_a_new_part_may_not_take_an_old_name() -> None:
    with pytest.raises(ConfigError, match="'size', which is taken"):
        register_part(Part("size", "numbers", "shopper", 3))
