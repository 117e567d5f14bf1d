# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: `python3 -m bench` runs them all and writes the figures into docs/benchmarks.md."""
