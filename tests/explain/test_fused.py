"""Folding leaves the function as it was, and keeps its hands off what it does not understand."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tests.explain import planted
from toolkit.explain.fused import fold, folded


class Net(nn.Module):
    """Two normalised convolutions with a detour, trained statistics, and a map beside the logit."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.other = nn.BatchNorm2d(8)
        self.late = nn.BatchNorm2d(8)  # after a ReLU: it cannot be folded
        for norm in (self.norm, self.other, self.late):
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        self.eval()

    def forward(self, x):
        y = torch.relu(self.norm(self.first(x / 255)))
        y = y + torch.relu(self.other(self.second(y)))
        patches = self.late(torch.relu(y)).mean(dim=1)
        return patches.mean(dim=(1, 2)), patches


class Detector(planted.Planted):
    def __init__(self, net):
        super().__init__(lambda rgb: rgb.mean(axis=(1, 2, 3)))
        self.net = net

    def with_network(self, net):
        return Detector(net)


def test_the_function_stays_and_the_original_too():
    torch.manual_seed(0)
    detector = Detector(Net())
    before = {k: v.clone() for k, v in detector.net.state_dict().items()}
    quick = folded(detector)
    assert quick is not detector
    assert quick.card == detector.card
    x = torch.rand(3, 3, 20, 20) * 255
    for a, b in zip(detector.net(x), quick.net(x), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    assert all((before[k] == v).all() for k, v in detector.net.state_dict().items())
    assert sum(isinstance(m, nn.BatchNorm2d) for m in quick.net.modules()) == 1
    quick.net(x.requires_grad_()).__getitem__(0).sum().backward()  # others want its gradients
    assert x.grad.abs().sum() > 0


def test_what_would_change_is_refused():
    torch.manual_seed(0)

    class Twice(Net):
        """Reads the convolution's output twice: folding would change the second reading."""

        def forward(self, x):
            y = self.first(x / 255)
            return (self.norm(y) + y).mean(dim=(1, 2, 3))

    detector = Detector(Twice())
    assert folded(detector) is detector


def test_without_a_network_nothing_happens():
    detector = planted.Planted(lambda rgb: rgb.mean(axis=(1, 2, 3)))
    assert folded(detector) is detector
    assert folded(Detector("not a network")) is not None
    wrong = Detector(nn.Linear(4, 1).eval())  # takes no pictures
    assert folded(wrong) is wrong
    assert fold(nn.Sequential(nn.ReLU()), torch.zeros(1, 3, 8, 8)) is None
    training = Detector(Net().train())
    assert folded(training) is training


def test_the_bundled_network_answers_the_same(sample):
    from toolkit.detectors import registry
    from toolkit.detectors.canary import canary_picture

    detector = registry.load("seamnet-small", device="cpu")
    quick = folded(detector)
    assert quick is not detector
    picture = canary_picture()[None]
    assert np.abs(detector.logits(picture) - quick.logits(picture)).max() <= 1e-4
