"""Every loss against hand numbers, what it ignores, and the direction of its gradient."""

import math

import pytest
import torch
from helpers import tiny_model
from torch.nn.functional import cosine_similarity

from gpnerf.datasets.labels import IGNORE
from gpnerf.methods.gpnerf import losses as formulas
from gpnerf.methods.gpnerf.losses import cells_between, distill_loss, photometric_loss
from gpnerf.methods.gpnerf.settings import Recipe
from gpnerf.metrics.semantic import semantic_loss

HALF = 0.5**0.5
# One sample per metre; the cosine to the teacher (1, 0) is chosen by angle.
DEPTHS = torch.arange(1.0, 8.0)[None]
TEACHER = torch.tensor([[1.0, 0.0]])


def points(*cosines):
    """Features [1, S, 2] with these cosines to the teacher."""
    return torch.tensor([[[cosine, math.sqrt(1.0 - cosine**2)] for cosine in cosines]])


def depth_guided_loss(features, teacher, depths, true):
    distance = formulas.samples_between(depths, true)
    return formulas.depth_guided_loss(features, teacher, distance, true > 0)


def depth_loss(features, depth, depths=DEPTHS):
    return depth_guided_loss(features, TEACHER, depths, torch.tensor([depth])).item()


def test_photometric_loss_sums_channels_and_averages_rays():
    predicted = torch.tensor([[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]])
    truth = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    assert photometric_loss(predicted, truth).item() == pytest.approx((0.01 + 0.04 + 0.09 + 1.0) / 2)


def test_semantic_loss_is_the_mean_over_labelled_pixels():
    logits = torch.tensor([[[0.0, 2.0, 9.0]], [[0.0, 0.0, -9.0]]])
    labels = torch.tensor([[1, 0, IGNORE]])
    expected = (math.log(2.0) + math.log(1.0 + math.exp(-2.0))) / 2
    assert semantic_loss(logits, labels).item() == pytest.approx(expected)


def test_an_image_without_labels_gives_zero_and_no_gradient():
    logits = torch.randn(4, 3, 5, requires_grad=True)
    loss = semantic_loss(logits, torch.full((3, 5), IGNORE))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad.abs().max() == 0.0


def test_distill_loss_by_hand_does_not_see_lengths():
    rendered = torch.tensor([[3.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [5.0, 5.0]])
    teacher = torch.tensor([[1.0, 0.0]]).expand(4, 2)
    assert distill_loss(rendered, teacher).item() == pytest.approx((0.0 + 1.0 + 2.0 + 1.0 - HALF) / 4)


def test_near_points_pay_one_minus_cosine_and_far_ones_their_positive_cosine():
    # The surface is at sample 3: 2, 3, 4 attract, 1 and 5 are ignored, 0 and 6 repel.
    features = points(0.6, -1.0, 0.5, 1.0, -0.2, 1.0, -0.9)
    expected = (0.6 + 0.5 + 0.0 + 1.2 + 0.0) / 5
    assert depth_loss(features, 4.2) == pytest.approx(expected, abs=1e-6)


def test_points_exactly_two_samples_away_are_ignored():
    losses = {
        depth_loss(points(0.6, one, 0.5, 1.0, -0.2, other, -0.9), 4.2)
        for one in (-1.0, 0.3, 1.0)
        for other in (-0.4, 0.8)
    }
    assert max(losses) - min(losses) < 1e-6


@pytest.mark.parametrize(("depth", "near", "ignored"), [(0.2, (0, 1), 2), (99.0, (5, 6), 4)])
def test_at_the_ends_of_a_ray_the_window_is_cut_off(depth, near, ignored):
    cosines = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    paid = [1.0 - cosine if i in near else cosine for i, cosine in enumerate(cosines) if i != ignored]
    assert depth_loss(points(*cosines), depth) == pytest.approx(sum(paid) / 6, abs=1e-6)


def test_the_nearest_sample_is_found_in_depth_not_in_number():
    # Depths 1, 2, 4, 8, ... : 5 m is nearest to sample 2.
    depths = (2.0 ** torch.arange(7.0))[None]
    features = points(0.5, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5)
    # Samples 1..3 attract with 1 each; 0 and 4 lie two away; 5 and 6 repel.
    assert depth_loss(features, 5.0, depths) == pytest.approx((3.0 + 0.5 + 0.5) / 5, abs=1e-6)


def test_rays_without_depth_are_skipped():
    features = points(0.6, -1.0, 0.5, 1.0, -0.2, 1.0, -0.9)
    both = depth_guided_loss(
        torch.cat([features, points(*[0.123] * 7)]),
        TEACHER.expand(2, 2),
        DEPTHS.expand(2, 7),
        torch.tensor([4.2, 0.0]),
    )
    assert both.item() == pytest.approx(depth_loss(features, 4.2))
    assert depth_loss(features, 0.0) == 0.0


def test_near_points_are_pulled_to_the_teacher_and_far_ones_pushed_away():
    features = points(*[0.5] * 7).requires_grad_()
    depth_guided_loss(features, TEACHER, DEPTHS, torch.tensor([4.0])).backward()
    moved = features.detach() - 0.1 * features.grad
    change = cosine_similarity(moved, TEACHER[:, None], dim=-1)[0] - 0.5
    assert (change[2:5] > 1e-3).all()
    assert (change[[0, 6]] < -1e-3).all()
    assert change[[1, 5]].abs().max() < 1e-6


def test_far_points_that_already_differ_are_left_alone():
    features = points(*[-0.5] * 7).requires_grad_()
    depth_guided_loss(features, TEACHER, DEPTHS, torch.tensor([4.0])).backward()
    assert features.grad[0, [0, 6]].abs().max() == 0.0
    assert features.grad[0, 3].abs().max() > 1e-3


def test_the_total_is_the_weighted_sum_of_what_is_there():
    weights = {"weight_photometric": 2.0, "weight_semantic": 3.0, "weight_distill": 5.0}
    model = tiny_model(weight_depth_guided=7.0, **weights)
    losses = {"photometric": 1.0, "semantic": 0.1, "distill": 0.01, "depth_guided": 0.001}
    losses = {name: torch.tensor(loss) for name, loss in losses.items()}
    assert model.total(losses).item() == pytest.approx(2.357)
    assert model.total({"distill": losses["distill"]}).item() == pytest.approx(0.05)
    assert [getattr(Recipe(), f"weight_{name}") for name in losses] == [0.25, 1.5, 0.25, 0.25]


def test_depth_loss_by_hand():
    """Depth 2.5 lies half way between the samples 2 and 3, depth 1 on the first one."""
    weights = torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.5, 0.1, 0.2, 0.2], [0.25, 0.25, 0.25, 0.25]])
    depths = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(3, 4)
    expected = (-0.5 * (math.log(0.4) + math.log(0.2)) - math.log(0.5)) / 2
    # The third ray has no true depth.
    found = formulas.depth_loss(weights, depths, torch.tensor([2.5, 1.0, 0.0]), 1.0, 4.0)
    assert found.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("true", [0.0, 0.9, 4.1, 9.0])
def test_depth_loss_skips_depths_outside_the_range(true):
    weights, depths = torch.full((1, 4), 0.25), torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert formulas.depth_loss(weights, depths, torch.tensor([true]), 1.0, 4.0) == 0.0


@pytest.mark.parametrize(("true", "weight"), [(1.5, 0.1), (7.0, 0.6)])
def test_depth_loss_chooses_the_end_where_samples_do_not_reach_the_true_depth(true, weight):
    weights, depths = torch.tensor([[0.1, 0.3, 0.6]]), torch.tensor([[2.0, 4.0, 6.0]])
    found = formulas.depth_loss(weights, depths, torch.tensor([true]), 1.0, 8.0)
    assert found.item() == pytest.approx(-math.log(weight))


def test_depth_loss_is_least_where_the_weights_have_the_true_mean_depth():
    depths, true = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([2.5])
    logits = torch.zeros(1, 3, requires_grad=True)
    for _ in range(4000):
        (gradient,) = torch.autograd.grad(
            formulas.depth_loss(logits.softmax(dim=1), depths, true, 1.0, 4.0), logits
        )
        logits = (logits - 0.5 * gradient).detach().requires_grad_()
    assert (logits.softmax(dim=1) * depths).sum().item() == pytest.approx(2.5, abs=0.01)


def test_depth_loss_is_finite_on_equal_samples_and_zero_weights():
    weights = torch.tensor([[0.0, 0.0, 1.0]], requires_grad=True)
    loss = formulas.depth_loss(weights, torch.tensor([[1.0, 1.0, 2.0]]), torch.tensor([1.0]), 1.0, 2.0)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(weights.grad).all()


def test_samples_close_to_each_other_are_counted_in_cells_of_the_coarse_pass():
    """Six samples from 1 to 6: a cell is 1 in depth; from 1 to 1/6 in 1/z: a cell is 1/6."""
    depths, true = torch.tensor([[1.0, 2.9, 3.1, 3.6, 6.0]]), torch.tensor([3.0])
    assert cells_between(depths, true, 1.0, 6.0, 6, "linear").tolist() == [[2.0, 0.0, 0.0, 1.0, 3.0]]
    depths, true = torch.tensor([[1.0, 1.5, 2.9, 6.0]]), torch.tensor([2.0])
    assert cells_between(depths, true, 1.0, 6.0, 6, "inverse").tolist() == [[3.0, 1.0, 1.0, 2.0]]
