"""export_c: its source compiles as C and C++, holds the model and our outputs, and names the methods of TFLM."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from networks import network
from running import ours
from test_cli import assert_fails, run

import pyquant as pq
from pyquant import graph
from pyquant.errors import FileExists, OptionError, UnsupportedOp
from pyquant.export import additions
from pyquant.graph import Builder, Model
from pyquant.ops.build import add

MAIN = """\
#include <stdint.h>
#include <stdio.h>
#include "net_golden.h"
#include "net_model_data.h"

int main(void) {
  unsigned long sum = 0;
  unsigned int i;
  for (i = 0; i < g_net_model_data_len; i++) sum = sum * 31 % 1000000007 + g_net_model_data[i];
  printf("%u %d %lu %d\\n", g_net_model_data_len, (int)((uintptr_t)g_net_model_data % 16), sum, k_net_golden_count);
  for (i = 0; i < sizeof g_net_golden_output_0[0] / sizeof g_net_golden_output_0[0][0]; i++)
    printf("%.9g ", (double)g_net_golden_output_0[1][i]);
  return 0;
}
"""


@pytest.mark.parametrize(("compiler", "standard"), [("gcc", "c99"), ("g++", "c++11")])
@pytest.mark.parametrize("scheme", ["float32", "int8", "int16x8"])
def test_the_source_compiles_and_holds_the_model(compiler: str, standard: str, scheme: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(1, 8, 8, 3)).astype(np.float32) for _ in range(3)]
    model = network() if scheme == "float32" else pq.quantize(network(), scheme, data=data)
    pq.export_c(model, tmp_path, "net", data, count=2)
    (tmp_path / "main.c").write_text(MAIN)
    language = ["-x", "c++"] if compiler == "g++" else []
    command = [compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-o", "net", *language]
    subprocess.run([*command, "main.c", "net_model_data.c", "net_golden.c"], cwd=tmp_path, check=True)
    first, second = subprocess.run(["./net"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    content, checksum = graph.dump(model), 0
    for byte in content:
        checksum = checksum * 31 % 1000000007 + byte
    assert first.split() == [str(len(content)), "0", str(checksum), "2"]
    expected = np.frombuffer((ours(model, [data[1]]) or [])[0], model.main.outputs[0].dtype.numpy)
    assert np.array_equal(np.array(second.split(), np.float64).astype(expected.dtype), expected)


# Models of MLPerf Tiny and what registers their operators, by TFLM's own examples.
METHODS = {
    "kws_ref_model": "AveragePool2D Conv2D DepthwiseConv2D FullyConnected Reshape Softmax",
    "pretrainedResnet_quant": "Add AveragePool2D Conv2D FullyConnected Reshape Softmax",
    "vww_96_int8": "AveragePool2D Conv2D DepthwiseConv2D FullyConnected Reshape Softmax",
    "ad01_int8": "FullyConnected",
}


@pytest.mark.parametrize("name", METHODS)
def test_resolver_methods(name: str, data_folder: Path) -> None:
    model = pq.open(data_folder / f"models/mlperf_tiny/{name}.tflite")
    assert additions(model) == [f"Add{method}" for method in METHODS[name].split()]


def test_large_models_are_written_quickly(data_folder: Path, tmp_path: Path) -> None:
    """4 MB of bytes as text, read back."""
    model = pq.open(data_folder / "models/mobilenet/tf2_mobilenet_v2_1.0_224_ptq.tflite")
    pq.export_c(model, tmp_path, count=0)
    text = (tmp_path / "model_model_data.c").read_text()
    body = text[text.index("{") + 1 : text.index("}")]
    assert bytes(int(cell, 16) for cell in body.replace("\n", "").split(",")[:-1]) == graph.dump(model)
    assert max(map(len, text.splitlines())) <= 80


def custom() -> Model:
    b = Builder()
    x = b.input("x", (1, 2))
    y = b.tensor("y", (1, 2), "float32")
    b.node("CUSTOM", [x], [y], custom_code="Mine")
    return b.model([y])


def test_what_cannot_be_exported_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOp, match="TFLM has no Mine"):
        pq.export_c(custom(), tmp_path)
    with pytest.raises(OptionError, match="name '9x'"):
        pq.export_c(network(), tmp_path, "9x")
    assert not os.listdir(tmp_path)
    (tmp_path / "model_golden.c").write_text("mine")
    with pytest.raises(FileExists, match=r"model_golden\.c exists"):
        pq.export_c(network(), tmp_path)
    assert os.listdir(tmp_path) == ["model_golden.c"]


def test_values_that_c_has_no_plain_form_for(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", (4,))
    model = b.model([add(b, "RELU", [x], "y")])
    pq.export_c(model, tmp_path, "net", [np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)], count=1)
    text = (tmp_path / "net_golden.c").read_text()
    assert "(0.0f / 0.0f), (1.0f / 0.0f), -(1.0f / 0.0f), -0.0f" in text


def test_command(tmp_path: Path) -> None:
    model = tmp_path / "2 nets.tflite"
    network().save(model)
    result = run("export-c", model, "-o", tmp_path / "src", "--samples", 1)
    assert result.exit_code == 0, result.output
    assert "g__2_nets_model_data" in (tmp_path / "src" / "_2_nets_model_data.h").read_text()
    assert len(result.stdout.splitlines()) == 5
    assert_fails(run("export-c", model, "-o", tmp_path / "src"), 1, "exists")
    assert run("export-c", model, "-o", tmp_path / "src", "--force").exit_code == 0
