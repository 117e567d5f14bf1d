# SPDX-License-Identifier: Apache-2.0
"""What the targets of the Makefile run. Python's standard library only."""
