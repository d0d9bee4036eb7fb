"""The loop as one writes it today: decord + DataLoader + PyTorch eager, float32.

The same job as bench/loop.yaml: 3D ResNet-18 of width 32 on 8 x 64 x 64 clips, 80 labels even over the classes, then two rounds of
80 chosen by the smallest margin, 4 epochs a round from new weights, accuracy on the test list after each round. With --tuned
the frames of every clip are decoded once and kept in memory, and no worker processes run. Prints one line of JSON.

Network: Hara, Kataoka, Satoh, CVPR 2018, arXiv 1711.09577.
"""

import argparse
import csv
import json
import math
import os
import time

import decord
import numpy
import torch
import torch.nn.functional as F
from resnet3d_torch import Block
from torch import nn
from torch.utils.data import DataLoader, Dataset

FRAMES, SIZE, BATCH, EPOCHS, START, ROUNDS, BUDGET = 8, 64, 16, 4, 80, 2, 80
LEARNING_RATE, WEIGHT_DECAY, WARMUP = 0.05, 5e-4, 0.1
SCALES = (1, 0.875, 0.75)


class ResNet3D(nn.Module):
    def __init__(self, classes, width=32, blocks=2):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(3, width, 7, (1, 2, 2), 3, bias=False), nn.BatchNorm3d(width), nn.ReLU(inplace=True), nn.MaxPool3d(3, 2, 1))
        layers, channels = [], width
        for stage in range(4):
            for block in range(blocks):
                layers.append(Block(channels, width << stage, 2 if stage and not block else 1))
                channels = width << stage
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.fc.weight, 0, 0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        return self.fc(self.layers(self.stem(x)).mean((2, 3, 4)))


def indices(count, training, generator):
    """ECO/TSN: one frame of each of FRAMES equal parts, any in training, the centre in evaluation."""
    edges = [i * count // FRAMES for i in range(FRAMES + 1)]
    if not training:
        return [(2 * i + 1) * count // (2 * FRAMES) for i in range(FRAMES)]
    return [a + int(generator.integers(max(b - a, 1))) for a, b in zip(edges, edges[1:])]


class Clips(Dataset):
    def __init__(self, rows, training, memory=None, seed=0):
        self.rows, self.training, self.memory = rows, training, memory
        self.seed, self.epoch = seed, 0

    def __len__(self):
        return len(self.rows)

    def frames(self, path, generator):
        if self.memory is not None:
            kept = self.memory[path]
            return kept[indices(len(kept), self.training, generator)]
        reader = decord.VideoReader(path, num_threads=1)
        return reader.get_batch(indices(len(reader), self.training, generator)).asnumpy()

    def __getitem__(self, index):
        path, label = self.rows[index]
        generator = numpy.random.default_rng((self.seed, self.epoch, index))
        clip = self.frames(path, generator)
        height, width = clip.shape[1:3]
        side = min(height, width)
        top, left, flip = (height - side) // 2, (width - side) // 2, False
        if self.training:
            side = round(side * SCALES[generator.integers(len(SCALES))])
            top, left = int(generator.integers(height - side + 1)), int(generator.integers(width - side + 1))
            flip = generator.random() < 0.5
        clip = torch.from_numpy(numpy.ascontiguousarray(clip[:, top:top + side, left:left + side]))
        clip = F.interpolate(clip.permute(0, 3, 1, 2).float(), size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        if flip:
            clip = clip.flip(3)
        return (clip / 127.5 - 1).transpose(0, 1), label


def loader(rows, training, options, seed, epoch):
    dataset = Clips(rows, training, options.memory, seed)
    dataset.epoch = epoch
    generator = torch.Generator().manual_seed(seed * 1000 + epoch)
    return DataLoader(dataset, BATCH if training else 32, shuffle=training, generator=generator, num_workers=0 if options.tuned else options.workers)


def train(rows, classes, options, seed):
    torch.manual_seed(seed)
    net = ResNet3D(classes).train()
    decayed = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() <= 1]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0}],
                                lr=LEARNING_RATE, momentum=0.9, nesterov=True)
    steps = EPOCHS * math.ceil(len(rows) / BATCH)
    warm = int(WARMUP * steps)
    step = 0
    for epoch in range(EPOCHS):
        for clips, labels in loader(rows, True, options, seed, epoch):
            factor = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * factor
            optimizer.zero_grad()
            loss = F.cross_entropy(net(clips), labels)
            loss.backward()
            optimizer.step()
            step += 1
    return net.eval()


@torch.no_grad()
def predict(net, rows, options):
    return torch.cat([net(clips) for clips, _ in loader(rows, False, options, 0, 0)])


def read(root, name, classes):
    with open(os.path.join(root, name), newline="") as file:
        return [(os.path.join(root, row["path"]), classes.setdefault(row["label"], len(classes))) for row in csv.DictReader(file)]


def start(rows, classes, seed):
    """Evenly over the classes."""
    order = numpy.random.default_rng(seed).permutation(len(rows))
    by_class = [[i for i in order if rows[i][1] == k] for k in range(classes)]
    return [int(column[depth]) for depth in range(START) for column in by_class if depth < len(column)][:START]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder with train.csv and test.csv")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tuned", action="store_true", help="frames in memory, no workers")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    began = time.monotonic()
    classes = {}
    pool, test = read(options.data, "train.csv", classes), read(options.data, "test.csv", classes)
    options.memory = None
    if options.tuned:
        options.memory = {}
        for path, _ in pool + test:
            reader = decord.VideoReader(path, num_threads=1)
            options.memory[path] = reader.get_batch(range(len(reader))).asnumpy()
    labelled, accuracies, times = start(pool, len(classes), options.seed), [], {"train": 0.0, "score": 0.0, "evaluate": 0.0}
    truth = torch.tensor([label for _, label in test])

    def timed(stage, work):
        at = time.monotonic()
        result = work()
        times[stage] += time.monotonic() - at
        return result

    for round_ in range(ROUNDS + 1):
        net = timed("train", lambda: train([pool[i] for i in labelled], len(classes), options, options.seed))
        logits = timed("evaluate", lambda: predict(net, test, options))
        accuracies.append((logits.argmax(1) == truth).float().mean().item())
        if round_ == ROUNDS:
            break
        known = set(labelled)
        unknown = [i for i in range(len(pool)) if i not in known]
        top = timed("score", lambda: predict(net, [pool[i] for i in unknown], options)).softmax(1).topk(2, 1).values
        labelled = labelled + [unknown[i] for i in (top[:, 0] - top[:, 1]).argsort()[:BUDGET].tolist()]
    print(json.dumps({"accuracies": accuracies, "seconds": time.monotonic() - began, "stages": times}))


if __name__ == "__main__":
    main()
