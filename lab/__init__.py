# SPDX-License-Identifier: Apache-2.0
"""The lab: real guests with real drivers for whole-machine tests and benchmarks.

Nothing here is part of the product. See README.md in this folder.
"""
