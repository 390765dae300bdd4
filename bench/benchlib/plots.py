# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Curves as SVG, by gnuplot."""

import os
import shutil
import subprocess

from .lab import Failure, say

HEAD = """set terminal svg size 760,440 noenhanced font "sans,12" background "white"
set output "{path}"
set title "{y} against {x}"
set xlabel "{x}"
set ylabel "{y}"
set grid
set key bottom left
set format y "{format}"
{scale}
"""


BARS = """set terminal svg size 760,440 noenhanced font "sans,12" background "white"
set output "{path}"
set title "{y}"
set ylabel "{y}"
set yrange [0:*]
set grid ytics
set key outside right invert
set style data histograms
set style histogram rowstacked
set style fill solid 0.8 border -1
set boxwidth 0.6
"""


def bars(curve, path):
    text = BARS.format(path=path, y=curve["y"]) + "$data << EOD\n"
    text += " ".join(f'"{word}"' for word in ("end", *curve["parts"])) + "\n"
    for name, values in curve["stacks"].items():
        text += f'"{name}" ' + " ".join(f"{value:.1f}" for value in values) + "\n"
    return text + (f"EOD\nplot for [i=2:{len(curve['parts']) + 1}] $data using i:xtic(1) "
                   "title columnheader(i)\n")


def script(curve, path):
    if "stacks" in curve:
        return bars(curve, path)
    scale = ['set logscale x\nset format x "%.0s%c"'] if "x" in curve["log"] else []
    scale.append("set logscale y" if "y" in curve["log"] else "set yrange [0:*]")
    text = HEAD.format(path=path, x=curve["x"], y=curve["y"], scale="\n".join(scale),
                       format="%.1s%c" if curve["y"].endswith("/s") else "%g")
    plots = []
    for i, (title, points) in enumerate(curve["series"].items()):
        text += f"$data{i} << EOD\n"
        for p in points:
            text += f"{p['x']} {p['median']} {p['min']} {p['max']}\n"
        text += "EOD\n"
        plots.append(f'$data{i} using 1:2:3:4 with yerrorlines title "{title}"')
    return text + "plot " + ", ".join(plots) + "\n"


def draw(results, folder):
    """One file for each curve of this run."""
    if not results.curves:
        return
    if shutil.which("gnuplot") is None:
        say("no plots: gnuplot is not installed (tools/deps.sh --bench)")
        return
    os.makedirs(folder, exist_ok=True)
    for name, curve in results.curves.items():
        path = os.path.join(folder, name + ".svg")
        done = subprocess.run(["gnuplot"], input=script(curve, path), text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise Failure(f"gnuplot, {name}: {done.stderr}")
        say(f"drawn: {path}")
