"""The CoDAE put together from torch's standard layers, as one would write it first."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FILTERS = (64, 128, 128, 256)


def pad_same(x_NCHW: Tensor, stride: int = 2, value: float = 0.0) -> Tensor:
    """Pad for a 3 x 3 window as TensorFlow does."""
    padding: list[int] = []
    for size in x_NCHW.shape[:1:-1]:
        total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
        padding += [total // 2, total - total // 2]
    return F.pad(x_NCHW, padding, value=value)


class Block(nn.Module):
    """Convolution, instance norm, LeakyReLU."""

    def __init__(self, channels: int, filters: int, groups: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, stride=stride, groups=groups)
        self.norm = nn.InstanceNorm2d(filters, eps=1e-3, affine=True)
        self.activation = nn.LeakyReLU(0.2)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Apply the three in turn."""
        return self.activation(self.norm(self.conv(pad_same(x_NCHW, self.conv.stride[0]))))


class Stage(nn.Module):
    """A block that changes the shape, and a residual branch of two."""

    def __init__(self, channels: int, filters: int, first_groups: int, stride: int = 1) -> None:
        super().__init__()
        self.first = Block(channels, filters, first_groups, stride)
        self.conv1 = Block(filters, filters, 4)
        self.conv2 = Block(filters, filters, 4)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Add the branch to its input."""
        x_NCHW = self.first(x_NCHW)
        return x_NCHW + self.conv2(self.conv1(x_NCHW))


class Encoder(nn.Module):
    """Image to convolutional latents."""

    def __init__(self) -> None:
        super().__init__()
        channels = (1, *FILTERS)
        self.stages = nn.Sequential(*(Stage(channels[i], channels[i + 1], 4 if i else 1, 2) for i in range(4)))
        self.latents = nn.Conv2d(FILTERS[-1], 64, 1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, 64, 5, 4)."""
        return self.latents(self.stages(x_NCHW))


class MaskEncoder(nn.Module):
    """Image to compact latents."""

    def __init__(self) -> None:
        super().__init__()
        channels = (1, *FILTERS)
        self.stages = nn.ModuleList(Block(channels[i], channels[i + 1], 2 if i else 1) for i in range(4))
        self.z = nn.Linear(5 * 4 * FILTERS[-1], 2)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, 2)."""
        for stage in self.stages:
            x_NCHW = F.max_pool2d(pad_same(stage(x_NCHW), value=float("-inf")), 3, 2)
        return self.z(x_NCHW.permute(0, 2, 3, 1).flatten(1))


class Conditioning(nn.Module):
    """Scales a feature map by a convolution of the broadcast latents."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, channels, 3, padding=1)

    def forward(self, x_NCHW: Tensor, z_m_NK: Tensor) -> Tensor:
        """Broadcast the latents, join the coordinates, convolve, multiply."""
        n, _, height, width = x_NCHW.shape
        y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        z_NKHW = z_m_NK[:, :, None, None].expand(-1, -1, height, width)
        return x_NCHW * self.conv(torch.cat([z_NKHW, torch.stack([x, y]).to(z_m_NK).expand(n, -1, -1, -1)], dim=1))


class Decoder(nn.Module):
    """Latents to logits."""

    def __init__(self) -> None:
        super().__init__()
        channels = (64, *reversed(FILTERS))
        self.conditionings = nn.ModuleList(Conditioning(channels[i]) for i in range(4))
        self.stages = nn.ModuleList(Stage(channels[i], channels[i + 1], 4 if i else 1) for i in range(4))
        self.up_sample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.logits = nn.Conv2d(channels[-1], 1, 1)

    def forward(self, x_NCHW: Tensor, z_m_NK: Tensor) -> Tensor:
        """Shape (n, 1, 72, 58)."""
        for condition, stage in zip(self.conditionings, self.stages, strict=True):
            x_NCHW = stage(self.up_sample(condition(x_NCHW, z_m_NK)))
        return self.logits(x_NCHW[:, :, 4:76, 3:61])


class PlainCoDAE(nn.Module):
    """Takes the state dict of ``ml.models.codae.CoDAE``; returns the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.mask_encoder, self.decoder = Encoder(), MaskEncoder(), Decoder()

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Shape (n, 1, 72, 58)."""
        return self.decoder(self.encoder(image_NCHW), self.mask_encoder(image_NCHW))
