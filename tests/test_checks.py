"""The checks of this folder find what they are for, in small trees."""

import os
import tempfile
import unittest

import check_floors
import check_names

CMAKE = "set(TCPINFO_FLOORS ground first)\n"


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.write("plugin/CMakeLists.txt", CMAKE)
        self.write("plugin/ground/a.h", "struct a { int x; };\n")
        self.write("plugin/ground/a.c", '#include "ground/a.h"\n')
        self.write("plugin/first/b.h", '#include "ground/a.h"\n')

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def assert_found(self, problems, *parts):
        """One problem, with all these parts in it."""
        self.assertEqual(len(problems), 1, problems)
        for part in parts:
            self.assertIn(part, problems[0])


class Floors(Tree):
    def problems(self):
        return check_floors.problems(os.path.join(self.root, "plugin"))

    def test_good_tree_has_no_problem(self):
        self.assertEqual(self.problems(), [])

    def test_include_from_above_is_found(self):
        self.write("plugin/ground/a.c", '#include "first/b.h"\n')
        self.assert_found(self.problems(), "ground/a.c", "first/b.h", "above")

    def test_circle_of_two_modules_is_found(self):
        self.write("plugin/ground/a.h", '#include "ground/c.h"\n')
        self.write("plugin/ground/c.h", "#pragma once\n")
        self.write("plugin/ground/c.c", '#include "ground/a.h"\n')
        self.assert_found(self.problems(), "circle", "ground/a", "ground/c")

    def test_circle_of_three_modules_is_found(self):
        self.write("plugin/ground/a.h", '#include "ground/c.h"\n')
        self.write("plugin/ground/c.h", '#include "ground/d.h"\n')
        self.write("plugin/ground/d.h", '#include "ground/a.h"\n')
        self.assert_found(self.problems(), "ground/a -> ground/c -> ground/d")

    def test_source_file_may_include_its_own_private_header(self):
        self.write("plugin/ground/a_layout.h", '#include "ground/a.h"\n')
        self.write("plugin/ground/a.c", '#include "ground/a_layout.h"\n')
        self.assertEqual(self.problems(), [])

    def test_include_without_folder_is_found(self):
        self.write("plugin/ground/a.c", '#include "a.h"\n')
        self.assert_found(self.problems(), "ground/a.c", "folder/name.h")

    def test_file_on_no_floor_is_found(self):
        self.write("plugin/cellar/c.c", "int c;\n")
        self.assert_found(self.problems(), "cellar/c.c", "no floor")

    def test_tree_without_floors_is_found(self):
        self.write("plugin/CMakeLists.txt", "")
        self.assert_found(self.problems(), "TCPINFO_FLOORS")


class Names(Tree):
    def problems(self):
        return check_names.problems(self.root)

    def test_good_tree_has_no_problem(self):
        self.assertEqual(self.problems(), [])

    def test_struct_defined_in_two_files_is_found(self):
        self.write("plugin/first/b.c", "struct a {\n  char *y;\n};\n")
        self.assert_found(self.problems(), "struct a", "ground/a.h",
                          "first/b.c")

    def test_enum_of_a_struct_s_name_is_another_name(self):
        self.write("plugin/first/b.c", "enum a { ONE };\n")
        self.assertEqual(self.problems(), [])

    def test_declarations_and_uses_are_no_definitions(self):
        self.write("plugin/first/b.c", "struct a;\nstatic struct a b = {1};\n"
                   "struct a *f(struct a *x) {\n  return x;\n}\n"
                   "/* struct a { of a comment */\n")
        self.assertEqual(self.problems(), [])

    def test_private_word_in_c_is_found(self):
        for name in ("ledger", "ledger_new", "LEDGER_SIZE", "old_roster",
                     "rows_free", "members_folded"):
            self.write("plugin/first/b.c", "int %s;\n" % name)
            self.assert_found(self.problems(), "first/b.c:1", name)

    def test_private_word_in_python_is_found(self):
        self.write("contrib/x.py", "def busiest(): pass\n")
        self.assert_found(self.problems(), "contrib/x.py:1", "top_k")

    def test_private_word_in_a_document_is_found_in_names_only(self):
        self.write("doc/x.md", "The door closes.\nmembers_folded is a value.\n")
        self.assert_found(self.problems(), "doc/x.md:2", "members_folded")

    def test_private_word_as_a_file_name_is_found(self):
        self.write("tests/test_ledger.c", "")
        self.assert_found(self.problems(), "test_ledger.c", "file name")

    def test_other_words_are_not_found(self):
        self.write("plugin/first/b.c", "int rows, closed, subjective, cellar;\n"
                   '/* a ledger */ const char *t = "the roster";\n')
        self.assertEqual(self.problems(), [])

    def test_word_is_allowed_where_the_list_says_so(self):
        self.write("plugin/kernel/proc_snmp.c", "int blank;\n")
        self.assertEqual(self.problems(), [])


if __name__ == "__main__":
    unittest.main()
