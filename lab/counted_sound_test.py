# SPDX-License-Identifier: Apache-2.0
"""Tests of counted sound."""

import tempfile
import unittest
from pathlib import Path

from lab import counted_sound
from lab.counted_sound import Run

SILENCE = bytes(4 * counted_sound.FRAME_BYTES)


class CountedSound(unittest.TestCase):
    """What the sound tests conclude from."""

    def test_sound_that_is_whole_is_one_run(self):
        self.assertEqual(counted_sound.runs(SILENCE + counted_sound.frames(70000) + SILENCE), [Run(1, 70000)])

    def test_counting_starts_anew_after_the_period(self):
        self.assertEqual(counted_sound.runs(counted_sound.frames(250, 100), 100), [Run(1, 250)])

    def test_a_lost_a_repeated_and_a_silent_frame_each_break_the_run(self):
        sound = counted_sound.frames(10)
        self.assertEqual(counted_sound.runs(sound[:12] + sound[16:]), [Run(1, 3), Run(5, 6)])
        self.assertEqual(counted_sound.runs(sound[:12] + sound[8:]), [Run(1, 3), Run(3, 8)])
        self.assertEqual(counted_sound.runs(sound[:12] + bytes(4) + sound[12:]), [Run(1, 3), Run(4, 7)])

    def test_a_wav_file_gives_back_its_frames(self):
        with tempfile.TemporaryDirectory() as directory:
            path = counted_sound.write_wav(Path(directory, "sound.wav"), 1000)
            self.assertEqual(counted_sound.read_wav(path), counted_sound.frames(1000))


if __name__ == "__main__":
    unittest.main()
