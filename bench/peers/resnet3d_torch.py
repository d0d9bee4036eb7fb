"""The 3D ResNet of basic blocks that distal calls resnet3d, in plain PyTorch, from distal's weights.

Hara, Kataoka, Satoh, Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?, CVPR 2018, arXiv 1711.09577.
"""

import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(outputs)
        self.conv2 = nn.Conv3d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm3d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv3d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm3d(outputs))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNet3D(nn.Module):
    def __init__(self, weights):
        super().__init__()
        width, classes = len(weights["conv1.weight"]), len(weights["fc.weight"])
        self.conv1, self.bn1 = nn.Conv3d(3, width, 7, (1, 2, 2), 3, bias=False), nn.BatchNorm3d(width)
        channels = width
        for stage in range(1, 5):
            blocks = []
            while f"layer{stage}.{len(blocks)}.conv1.weight" in weights:
                outputs = width << (stage - 1)
                blocks.append(Block(channels, outputs, 2 if stage > 1 and not blocks else 1))
                channels = outputs
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)
        missing, unexpected = self.load_state_dict(weights, strict=False)
        assert not unexpected and all("running" in key or "num_batches" in key for key in missing), (missing, unexpected)

    def forward(self, x):
        x = F.max_pool3d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3, 4)))
