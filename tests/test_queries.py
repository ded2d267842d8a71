"""Queries that find segments: matching and losses by hand, the decoder, one segment per pixel, perfect PQ."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers import gradient_size, tiny_example, tiny_model

from gpnerf.datasets.labels import IGNORE
from gpnerf.evaluation.scorer import Scorer
from gpnerf.methods.gpnerf.query_decoder import QueryDecoder, Segments
from gpnerf.methods.gpnerf.query_head import QueryHead, panoptic_labels
from gpnerf.methods.gpnerf.query_losses import NO_OBJECT, dice_loss, query_losses
from gpnerf.methods.gpnerf.settings import Sizes
from gpnerf.metrics.instance import UNMATCHED, match_slots
from gpnerf.rendering.view import BEST, render_example
from gpnerf.system.errors import ConfigError

PANOPTIC = {
    "queries": 5,
    "query_layers": 2,
    "weight_query_class": 1.0,
    "weight_query_mask": 1.0,
    "weight_query_dice": 1.0,
}
# Far enough from 0 for a probability of 0 or 1.
SURE = 40.0


def perfect(instances: torch.Tensor, classes: torch.Tensor, num_classes: int, queries: int) -> Segments:
    """Segments that find every instance, the first queries one each; the others find nothing."""
    ids = instances[instances != IGNORE].unique()
    masks = torch.full((queries, *instances.shape), -SURE)
    wanted = torch.full((queries,), num_classes)
    for query, number in enumerate(ids):
        masks[query][instances == number] = SURE
        wanted[query] = classes[instances == number].mode().values
    return Segments(SURE * F.one_hot(wanted, num_classes + 1).float(), masks)


def random_segments(queries: int = 6, num_classes: int = 3, seed: int = 0) -> Segments:
    noise = torch.Generator().manual_seed(seed)
    classes = torch.randn(queries, num_classes + 1, generator=noise)
    return Segments(classes, torch.randn(queries, 4, 5, generator=noise))


def random_truth(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Instances and classes [4, 5], some of them unknown; an instance has one class."""
    noise = torch.Generator().manual_seed(seed)
    instances = torch.randint(-1, 4, (4, 5), generator=noise)
    return instances, torch.where(instances < 0, IGNORE, instances % 3)


def test_a_further_cost_decides_between_equal_masks():
    probabilities, truth = torch.full((3, 4), 0.5), torch.tensor([7, 7, 9, 9])
    cost = torch.tensor([[0.0, 0.3], [0.1, 0.0], [0.2, 0.2]])
    assert match_slots(probabilities, truth, cost).tolist() == [0, 1]
    assert match_slots(probabilities, truth, cost.flip(0)).tolist() == [2, 1]
    # Two slots for three instances: the dearest stays without one.
    three = torch.tensor([3, 3, 5, 8])
    assert match_slots(probabilities[:2], three, torch.tensor([[9.0, 0, 9], [9, 9, 0]])).tolist() == [
        UNMATCHED,
        0,
        1,
    ]


def test_losses_by_hand():
    """Two cells of instance 4, class 0, and one of instance 6, class 1; queries 1 and 0 fit them."""
    masks = torch.tensor([[[0.0, 0.0, 0.0]], [[0.0, 0.0, -SURE]], [[-SURE, -SURE, -SURE]]])
    classes = torch.log(torch.tensor([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]))
    found = query_losses([Segments(classes, masks)], torch.tensor([[4, 4, 6]]), torch.tensor([[0, 0, 1]]))
    # All three have the probability 1/2 of what they should be.
    assert found.query_class.item() == pytest.approx(math.log(2.0))
    assert found.query_mask.item() == pytest.approx(5 / 6 * math.log(2.0))
    # Overlaps 1 of areas 1 and 2; 0.5 of areas 1.5 and 1.
    assert found.query_dice.item() == pytest.approx(((1 - 3 / 4) + (1 - 2 / 3.5)) / 2)


def test_no_object_counts_a_tenth():
    classes, masks = torch.zeros(3, 3), torch.tensor([[[SURE]], [[-SURE]], [[-SURE]]])
    classes[1, 2] = 5.0
    found = query_losses([Segments(classes, masks)], torch.tensor([[0]]), torch.tensor([[1]]))
    of_query_1 = math.log(1.0 + 2.0 * math.exp(-5.0))
    expected = (math.log(3.0) + NO_OBJECT * (of_query_1 + math.log(3.0))) / (1.0 + 2.0 * NO_OBJECT)
    assert NO_OBJECT == 0.1 and found.query_class.item() == pytest.approx(expected)


def test_perfect_segments_cost_nothing_and_have_the_quality_1():
    instances, classes = random_truth()
    found = perfect(instances, classes, num_classes=3, queries=6)
    assert all(
        loss.item() == pytest.approx(0.0, abs=1e-6) for loss in query_losses([found], instances, classes)
    )
    example = tiny_example()
    truth = torch.arange(32).div(4, rounding_mode="floor").expand(24, 32).contiguous()
    target = replace(example.target, instance=truth + 50)
    cells = perfect(target.instance[::2, ::2], target.semantic[::2, ::2], num_classes=3, queries=9)
    model = tiny_model()
    with torch.no_grad():
        view = render_example(model, example, "float32", BEST)
    labels = panoptic_labels(cells, 24, 32)
    view = replace(view, labels=target.semantic, confidence=labels.confidence, instances=labels.instances)
    scores = Scorer(3, None, None)(view, target, None).scores
    assert scores["miou"] == 1.0 and scores["ap_50"] == scores["strict_ap_50"] == 1.0
    whole = replace(view, instances=truth)
    scores = Scorer(3, None, None)(whole, target, None).scores
    assert [scores[name] for name in ("pq", "sq", "rq")] == [1.0, 1.0, 1.0]
    assert scores["pq_one_class"] is None


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_queries_and_the_ids_change_no_loss(seed):
    found, (instances, classes) = random_segments(seed=seed), random_truth(seed + 10)
    expected = query_losses([found], instances, classes)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    turned = Segments(*(one[order] for one in found))
    renamed = torch.tensor([30, 2, 500, 11, IGNORE])[instances]
    for losses in (query_losses([turned], instances, classes), query_losses([found], renamed, classes)):
        torch.testing.assert_close(torch.stack(losses), torch.stack(expected))
    labels, of_turned = panoptic_labels(found, 8, 10), panoptic_labels(turned, 8, 10)
    assert torch.equal(labels.classes, of_turned.classes)
    assert torch.equal(labels.instances, order[of_turned.instances])


def test_layers_are_averaged():
    instances, classes = random_truth()
    layers = [random_segments(seed=seed) for seed in range(3)]
    each = torch.stack([torch.stack(query_losses([one], instances, classes)) for one in layers])
    torch.testing.assert_close(torch.stack(query_losses(layers, instances, classes)), each.mean(dim=0))


def test_cells_of_unknown_class_or_instance_do_not_count():
    found, (instances, classes) = random_segments(), random_truth()
    unknown = instances == 2
    expected = query_losses([found], instances.masked_fill(unknown, IGNORE), classes)
    other = Segments(found.classes, torch.where(unknown, SURE, found.masks))
    for given in (found, other):
        losses = query_losses([given], instances, classes.masked_fill(unknown, IGNORE))
        torch.testing.assert_close(torch.stack(losses), torch.stack(expected))
    assert query_losses([found], instances, torch.full_like(classes, IGNORE)) is None


def test_more_instances_than_queries_leave_some_out():
    instances, classes = torch.arange(20).view(4, 5), torch.zeros(4, 5, dtype=torch.int64)
    losses = query_losses([random_segments(queries=2)], instances, classes)
    assert all(torch.isfinite(loss) for loss in losses)


def test_numbers_that_are_none_reach_the_loss():
    """The step is then skipped."""
    found = Segments(*(one * torch.nan for one in random_segments()))
    assert all(loss.isnan() for loss in query_losses([found], *random_truth()))


def test_dice_by_hand():
    masks, truth = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]), torch.tensor([[1.0, 0, 0], [1.0, 0, 0]])
    assert dice_loss(masks, truth).item() == pytest.approx(((1 - 2 / 3) + 0.0) / 2)


def test_every_pixel_belongs_to_the_most_probable_segment():
    """Query 2 finds the same as query 0, with less certainty; query 3 finds nothing; 1 has the right half."""
    left = torch.tensor([1.0, 1.0, -1.0, -1.0]).expand(2, 4) * SURE
    masks = torch.stack([left, -left, left, left])
    chances = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8]])
    found = panoptic_labels(Segments(chances.log(), masks), 4, 8)
    assert found.instances[0].unique_consecutive().tolist() == [0, 1]
    assert torch.equal(found.classes, found.instances)
    assert found.confidence[0, 0].item() == pytest.approx(0.8)
    assert found.confidence[-1, -1].item() == pytest.approx(0.7)


def test_without_an_object_no_pixel_has_a_label():
    nothing = Segments(torch.tensor([[0.0, 0.0, 9.0]]).expand(2, 3), torch.zeros(2, 3, 4))
    found = panoptic_labels(nothing, 6, 8)
    assert (found.classes == IGNORE).all() and (found.instances == IGNORE).all()
    example = tiny_example()
    target = replace(example.target, instance=example.target.semantic)
    with torch.no_grad():
        view = render_example(tiny_model(), example, "float32", BEST)
    empty = torch.full_like(target.semantic, IGNORE)
    view = replace(view, labels=empty, instances=empty, confidence=torch.zeros(24, 32))
    scores = Scorer(3, None, None)(view, target, None).scores
    assert scores["pq"] == scores["ap_50"] == scores["strict_ap_50"] == 0.0


def test_a_mask_has_the_class_of_its_cells_until_its_query_says_more():
    torch.manual_seed(0)
    decoder = QueryDecoder(queries=2, layers=0, width=8, heads=2, classes=3)
    torch.nn.init.zeros_(decoder.classify.weight), torch.nn.init.zeros_(decoder.classify.bias)
    levels = [torch.randn(8, 2**n, 2**n) for n in range(4)]
    logits = torch.randn(3, 8, 8)
    (found,) = decoder(levels, logits)
    inside, known = found.masks.sigmoid(), logits.log_softmax(dim=0)
    expected = (inside[:, None] * known).sum(dim=(2, 3)) / inside.sum(dim=(1, 2))[:, None]
    torch.testing.assert_close(found.classes[:, :3], expected)
    assert (found.classes[:, 3] == 0.0).all()


def test_queries_look_only_where_their_mask_lies():
    torch.manual_seed(1)
    decoder = QueryDecoder(queries=3, layers=1, width=8, heads=2, classes=2)
    keys = torch.randn(5, 8)
    layer, place = decoder.layers[0], decoder.place
    outside = torch.zeros(3, 5, dtype=torch.bool)
    outside[:, 3:] = True
    changed = torch.cat([keys[:3], torch.randn(2, 8)])
    both = [layer(decoder.content, place, one, one, outside) for one in (keys, changed)]
    torch.testing.assert_close(*both)
    assert not torch.allclose(both[0], layer(decoder.content, place, keys, keys, outside & False))


def test_queries_leave_the_classes_of_pixels_as_they_are():
    plain, with_queries = tiny_model(), tiny_model(**PANOPTIC)
    assert isinstance(with_queries.head, QueryHead)
    own = plain.head.state_dict()
    with_queries.head.load_state_dict(own, strict=False)
    features = torch.randn(1, 32, 13, 17)
    assert torch.equal(plain.head(features, 25, 33), with_queries.head(features, 25, 33))
    logits, found = with_queries.head.find(features[0])
    assert logits.shape == (3, 13, 17) and len(found) == 3
    assert {one.masks.shape for one in found} == {(5, 13, 17)} and found[0].classes.shape == (5, 4)


def test_the_losses_of_segments_train_queries_head_and_extractor():
    example = tiny_example()
    target = replace(example.target, instance=example.target.semantic)
    model = tiny_model(**PANOPTIC)
    found = model.losses(replace(example, target=target), 32, torch.Generator().manual_seed(0)).losses
    for name in ("query_class", "query_mask", "query_dice"):
        assert min(gradient_size(found[name], one) for one in (model.head.queries, model.extractor)) > 0.0
    assert {"semantic", "distill", "photometric"} <= set(found)
    without = model.losses(example, 32, torch.Generator().manual_seed(0)).losses
    assert "query_mask" not in without and torch.equal(without["semantic"], found["semantic"])
    groups, plain = model.parameter_groups(), tiny_model().head
    for name, part in (("queries", model.head.queries), ("head", plain)):
        assert [one.shape for one in groups[name]] == [one.shape for one in part.parameters()]


def test_a_few_steps_tell_two_objects_of_one_class_apart():
    """The same class left and right: only the place tells the objects apart."""
    torch.manual_seed(0)
    decoder = QueryDecoder(queries=4, layers=1, width=8, heads=2, classes=2)
    levels, logits = [torch.ones(8, 2**n, 2**n) for n in range(4)], torch.zeros(2, 8, 8)
    instances = torch.arange(8).div(4, rounding_mode="floor").expand(8, 8)
    classes = torch.zeros_like(instances)
    optimizer = torch.optim.Adam(decoder.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        sum(query_losses(decoder(levels, logits), instances, classes)).backward()
        optimizer.step()
    found = panoptic_labels(decoder(levels, logits)[-1], 16, 16)
    halves = [found.instances[:, :7].unique().tolist(), found.instances[:, 8:].unique().tolist()]
    assert [len(one) for one in halves] == [1, 1] and halves[0] != halves[1]
    assert (found.classes == 0).all()


def test_queries_need_the_head_of_the_paper():
    with pytest.raises(ConfigError, match="Expected --head unet with --queries, found linear"):
        Sizes(classes=3, head="linear", queries=4)
    with pytest.raises(ConfigError, match="--level_width"):
        Sizes(classes=3, level_width=8, transformer_width=16, heads=16, queries=4)
