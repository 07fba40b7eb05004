from __future__ import annotations

import numpy as np
import pytest
import torch

from tryon_core.config import FUSIONS, FusionConfig
from tryon_core.errors import ConfigError
from tryon_core.fusion import Fusion, Members, attention, average, build_fusion, concat, interactions, weighted

EMBEDDINGS = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 3, 8)).astype(np.float32))
PRESENT = torch.tensor([[True, True, True], [True, False, True], [False, True, False], [False, False, False]])
E, P = EMBEDDINGS.numpy().astype(np.float64), PRESENT.numpy()


def test_concat_puts_parts_side_by_side_and_a_missing_one_as_zeros() -> None:
    expected = np.where(P[:, :, None], E, 0).reshape(4, 24)
    np.testing.assert_allclose(concat(EMBEDDINGS, PRESENT).numpy(), expected, atol=1e-6)


def test_average_is_the_mean_over_the_parts_present() -> None:
    expected = [E[row, P[row]].mean(axis=0) if P[row].any() else np.zeros(8) for row in range(4)]
    np.testing.assert_allclose(average(EMBEDDINGS, PRESENT).numpy(), expected, atol=1e-6)


def test_weighted_renormalises_its_weights_over_the_parts_present() -> None:
    weights = np.array([0.5, 2.0, 3.0])
    expected = [
        (weights[P[row], None] * E[row, P[row]]).sum(axis=0) / weights[P[row]].sum() if P[row].any() else np.zeros(8)
        for row in range(4)
    ]
    fused = weighted(EMBEDDINGS, PRESENT, torch.tensor(weights, dtype=torch.float32))
    np.testing.assert_allclose(fused.numpy(), expected, atol=1e-6)


def test_weighted_with_equal_weights_is_the_average() -> None:
    torch.testing.assert_close(weighted(EMBEDDINGS, PRESENT, torch.full((3,), 7.0)), average(EMBEDDINGS, PRESENT))


def test_attention_is_the_softmax_of_scaled_products_over_the_parts_present_in_each_head() -> None:
    query = np.random.default_rng(1).normal(size=(4, 8))
    expected = np.zeros((4, 8))
    for row in range(3):
        for head in range(2):
            at = slice(4 * head, 4 * head + 4)
            keys = E[row, P[row], at]
            scores = np.exp(keys @ query[row, at] / np.sqrt(4))
            expected[row, at] = scores @ keys / scores.sum()
    fused = attention(torch.tensor(query, dtype=torch.float32), EMBEDDINGS, PRESENT, 2)
    np.testing.assert_allclose(fused.numpy(), expected, atol=1e-5)


SIDES = torch.tensor([[True, True, False], [False, False, True]])


def test_interactions_are_the_products_of_the_parts_present_of_one_side_with_those_of_the_other() -> None:
    expected = np.stack([sum(E[row, i] * E[row, 2] * P[row, i] * P[row, 2] for i in (0, 1)) for row in range(4)])
    np.testing.assert_allclose(interactions(EMBEDDINGS, PRESENT, SIDES).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    "how", [concat, average, lambda e, p: interactions(e, p, SIDES), lambda e, p: attention(e[:, 0], e, p, 2)]
)
def test_a_row_without_any_part_gives_exact_zeros_and_no_gradient_that_is_not_a_number(how) -> None:
    embeddings = EMBEDDINGS.clone().requires_grad_()
    fused = how(embeddings, PRESENT)
    assert not fused[3].any()
    fused.square().sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert not embeddings.grad[3].any()


DIMS = {"photo": 5, "words": 3, "size": 4}


def built(kind: str, **settings) -> Fusion:
    torch.manual_seed(0)
    return Fusion(
        FusionConfig(kind=kind, width=8, num_heads=2, depth=1, **settings), DIMS, (["photo", "words"], ["size"])
    ).eval()


def parts(present: torch.Tensor = PRESENT) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    rng = np.random.default_rng(2)
    return {
        name: (torch.from_numpy(rng.normal(size=(len(present), dim)).astype(np.float32)), present[:, column])
        for column, (name, dim) in enumerate(DIMS.items())
    }


def test_fixed_weights_of_the_config_give_the_formula_and_are_not_learnt() -> None:
    fusion = built("weighted", weights={"size": 3.0, "photo": 0.5, "words": 2.0})
    given = parts()
    adapted = torch.stack([fusion.adapt[name](embedding) for name, (embedding, _) in given.items()], dim=1)
    fused = weighted(adapted, PRESENT, torch.tensor([0.5, 2.0, 3.0]))
    features = fusion.layers[0](fusion.enter(torch.cat([fused, PRESENT.float()], dim=1)))
    torch.testing.assert_close(fusion(given), fusion.norm(features))
    assert not fusion.log_weights.requires_grad


@pytest.mark.parametrize("kind", FUSIONS)
def test_the_module_is_its_formula_between_bringing_parts_to_one_width_and_refining(kind: str) -> None:
    torch.manual_seed(0)
    fusion = Fusion(FusionConfig(kind=kind, width=8, num_heads=2, depth=1), {"a": 8, "b": 8, "c": 8}).eval()
    parts = {name: (EMBEDDINGS[:, n], PRESENT[:, n]) for n, name in enumerate(fusion.names)}
    brought = torch.stack([fusion.adapt[name](EMBEDDINGS[:, n]) for n, name in enumerate(fusion.names)], dim=1)
    fused = {
        "concat": lambda: concat(brought, PRESENT),
        "average": lambda: average(brought, PRESENT),
        "weighted": lambda: weighted(brought, PRESENT, fusion.log_weights.exp()),
        "attention": lambda: attention(fusion.query.expand(4, -1), brought, PRESENT, 2),
    }[kind]()
    entered = fusion.enter(torch.cat([fused, PRESENT.float()], dim=1))
    torch.testing.assert_close(fusion(parts), fusion.norm(fusion.layers[0](entered)))


def test_learnt_weights_start_equal_and_are_the_only_difference_to_the_average() -> None:
    learnt, fixed = built("weighted"), built("average")
    assert learnt.log_weights.requires_grad
    assert not fixed.log_weights.requires_grad
    torch.testing.assert_close(learnt(parts()), fixed(parts()))
    learnt.log_weights.data[0] += 1
    assert (learnt(parts()) - fixed(parts()))[0].abs().max() > 1e-3


@pytest.mark.parametrize("interactions", [False, True])
@pytest.mark.parametrize("kind", FUSIONS)
def test_a_part_left_out_is_a_part_missing_in_every_row(kind: str, interactions: bool) -> None:
    fusion, given = built(kind, interactions=interactions), parts(PRESENT & torch.tensor([True, False, True]))
    torch.testing.assert_close(fusion(given), fusion({name: given[name] for name in ("size", "photo")}))


@pytest.mark.parametrize("interactions", [False, True])
@pytest.mark.parametrize("kind", FUSIONS)
def test_what_a_missing_part_holds_cannot_matter(kind: str, interactions: bool) -> None:
    fusion, given = built(kind, interactions=interactions), parts()
    other = {name: (torch.where(here[:, None], e, 1e3), here) for name, (e, here) in given.items()}
    torch.testing.assert_close(fusion(other), fusion(given))


@pytest.mark.parametrize("interactions", [False, True])
@pytest.mark.parametrize("kind", FUSIONS)
def test_a_missing_part_is_told_from_a_part_of_zeros(kind: str, interactions: bool) -> None:
    fusion, given = built(kind, interactions=interactions), parts(torch.ones(2, 3, dtype=torch.bool))
    fusion.adapt["words"][0].bias.data.zero_()
    embedding, here = given["words"]
    zero = fusion(given | {"words": (embedding * 0, here)})
    missing = fusion(given | {"words": (embedding * 0, ~here)})
    assert (zero - missing).abs().max() > 1e-3


@pytest.mark.parametrize("interactions", [False, True])
@pytest.mark.parametrize("kind", FUSIONS)
def test_an_unknown_name_among_the_parts_changes_nothing(kind: str, interactions: bool) -> None:
    fusion, given = built(kind, interactions=interactions), parts()
    torch.testing.assert_close(fusion(given | {"": (torch.zeros(4, 1), PRESENT[:, 0])}), fusion(given))


FACTORS = {"size": 4.0, "words": 0.25}


def test_attention_with_weights_is_the_softmax_of_scaled_products_times_weights() -> None:
    query, weights = np.random.default_rng(1).normal(size=(4, 8)), np.array([0.25, 3.0, 1.0])
    expected = np.zeros((4, 8))
    for row in range(3):
        for head in range(2):
            at = slice(4 * head, 4 * head + 4)
            keys = E[row, P[row], at]
            scores = weights[P[row]] * np.exp(keys @ query[row, at] / np.sqrt(4))
            expected[row, at] = scores @ keys / scores.sum()
    told = torch.tensor(query, dtype=torch.float32), EMBEDDINGS, PRESENT, 2, torch.tensor(weights, dtype=torch.float32)
    np.testing.assert_allclose(attention(*told).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["average", "weighted"])
def test_factors_multiply_the_weights_before_they_are_renormalised(kind: str) -> None:
    fusion, given = built(kind), parts()
    if kind == "weighted":
        fusion.log_weights.data.copy_(torch.tensor([0.3, -0.2, 1.0]))
    own = fusion.log_weights.exp() if kind == "weighted" else torch.ones(3)
    before = fusion(given)
    fusion.emphasise(FACTORS)
    adapted = torch.stack([fusion.adapt[name](embedding) for name, (embedding, _) in given.items()], dim=1)
    factors = torch.tensor([FACTORS.get(name, 1.0) for name in fusion.names])
    fused = weighted(adapted, PRESENT, own * factors)
    features = fusion.layers[0](fusion.enter(torch.cat([fused, PRESENT.float()], dim=1)))
    torch.testing.assert_close(fusion(given), fusion.norm(features))
    assert (fusion(given) - before)[0].abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["average", "weighted", "attention"])
def test_a_large_factor_leaves_its_part_alone_and_a_factor_of_one_changes_nothing(kind: str) -> None:
    fusion, given = built(kind), parts()
    before = fusion(given)
    fusion.emphasise({"size": 1.0})
    torch.testing.assert_close(fusion(given), before)
    fusion.emphasise({"size": 1e9})
    moved = {name: (e if name == "size" else e + 1, here) for name, (e, here) in given.items()}
    torch.testing.assert_close(fusion(moved)[:2], fusion(given)[:2])
    assert set(fusion.state_dict()) == set(built(kind).state_dict())


def test_a_fusion_that_weighs_no_parts_refuses_factors() -> None:
    with pytest.raises(
        ConfigError, match=r"expected a fusion that weighs parts \(average, weighted, attention\), got concat"
    ):
        built("concat").emphasise(FACTORS)


def ensemble(kind: str = "concat", members: int = 3) -> Members:
    torch.manual_seed(0)
    config = FusionConfig(kind=kind, width=8, num_heads=2, depth=1, interactions=True, members=members)
    fusion = build_fusion(config, DIMS, (["photo", "words"], ["size"]))
    assert isinstance(fusion, Members)
    return fusion


@pytest.mark.parametrize("kind", FUSIONS)
def test_members_answer_with_the_mean_of_what_each_of_them_would_say_and_differ(kind: str) -> None:
    fusion, given = ensemble(kind).eval(), parts()
    own = [member(given) for member in fusion.members]
    torch.testing.assert_close(fusion(given), (own[0] + own[1] + own[2]) / 3)
    assert (own[0] - own[1]).abs().max() > 1e-3
    row_of = torch.tensor([3, 0, 0, 2, 1])
    torch.testing.assert_close(fusion.of_rows(given, row_of), fusion(given)[row_of])


def test_in_training_a_row_is_answered_by_one_member_alone_in_turn() -> None:
    fusion, given = ensemble().train(), parts()
    row_of = torch.tensor([0, 0, 0, 2, 1])
    told = fusion.of_rows(given, row_of)
    for row, (seen, member) in enumerate(zip([0, 0, 0, 2, 1], [0, 1, 2, 0, 1], strict=True)):
        torch.testing.assert_close(told[row], fusion.members[member](given)[seen])
    told[1].square().sum().backward()
    learnt = [any(p.grad is not None and p.grad.any() for p in member.parameters()) for member in fusion.members]
    assert learnt == [False, True, False]


def test_one_member_is_a_fusion_with_the_names_and_the_weights_that_it_always_had() -> None:
    config = FusionConfig(width=8, depth=1)
    torch.manual_seed(3)
    one = build_fusion(config, DIMS).state_dict()
    torch.manual_seed(3)
    always = Fusion(config, DIMS).state_dict()
    assert list(one) == list(always)
    assert all(torch.equal(one[name], always[name]) for name in one)
    assert set(ensemble().state_dict()) == {
        f"members.{place}.{name}" for place in range(3) for name in built("concat", interactions=True).state_dict()
    }


def test_factors_reach_every_member() -> None:
    fusion, given = ensemble("average").eval(), parts()
    before = [member(given) for member in fusion.members]
    fusion.emphasise(FACTORS)
    assert all((member(given) - old)[0].abs().max() > 1e-4 for member, old in zip(fusion.members, before, strict=True))
    with pytest.raises(ConfigError, match="expected a fusion that weighs parts"):
        ensemble("concat").emphasise(FACTORS)
