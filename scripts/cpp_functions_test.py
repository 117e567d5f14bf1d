# SPDX-License-Identifier: Apache-2.0
"""Tests of the search for functions in C++."""

import unittest

from scripts.cpp_functions import functions


class Functions(unittest.TestCase):
    """What counts as a function, and how long it is."""

    def found(self, text: str) -> list[tuple[str, int, int]]:
        """(name, line, lines) of each function in `text`."""
        return [(f.name, f.line, f.lines) for f in functions(text)]

    def test_a_function_in_a_namespace_is_measured_from_its_first_word(self) -> None:
        text = "namespace a {\n\nint f(int x) {\n  return x;\n}\n\n}  // namespace a\n"
        self.assertEqual(self.found(text), [("f", 3, 3)])

    def test_blocks_and_lambdas_belong_to_their_function(self) -> None:
        text = "void f() {\n  if (a()) {\n    b([] {\n      c();\n    });\n  }\n}\n"
        self.assertEqual(self.found(text), [("f", 1, 7)])

    def test_members_are_found_in_classes_and_classes_in_classes(self) -> None:
        text = "class A {\n  struct B {\n    int g() const { return 1; }\n  };\n  int h();\n};\nint A::h() {\n  return 2;\n}\n"
        self.assertEqual(self.found(text), [("g", 3, 1), ("A::h", 7, 3)])

    def test_braces_in_strings_comments_and_macros_do_not_count(self) -> None:
        text = '#define X(a) \\\n  do { a\nvoid f() {\n  g("}{", \'{\');  // }\n  h(R"({)", 1\'000);\n}\nvoid k() {\n}\n'
        self.assertEqual(self.found(text), [("f", 3, 4), ("k", 7, 2)])

    def test_braced_member_initializers_do_not_end_a_constructor(self) -> None:
        text = "A::A(int a)\n    : a_{a},\n      b_{a} {\n  work();\n}\nvoid after() {\n}\n"
        self.assertEqual(self.found(text), [("A::A", 1, 5), ("after", 6, 2)])

    def test_tables_are_not_functions(self) -> None:
        text = "constexpr Register kA{1, {bit(0)}};\nconst int t[] = {f(1), f(2)};\nenum class E { a, b };\nvoid f() {\n}\n"
        self.assertEqual(self.found(text), [("f", 4, 2)])


if __name__ == "__main__":
    unittest.main()
