// The style rules themselves: each finds what it is there to find, and nothing else.
#include "tests/style/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coterie::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(LayerOf, is_the_folder_that_is_a_library) {
  EXPECT_EQ(layer_of("src/model/encoder.cpp"), "model");
  EXPECT_EQ(layer_of("dist/mesh.h"), "dist");
  EXPECT_EQ(layer_of("tests/style/rules.h"), "tests");
}

TEST(Layering, an_include_against_the_arrows_is_found_with_its_line) {
  const Source source{"experts/router.h", "// A router.\n#include \"base/str.h\"\n#include \"data/batch.h\"\n"};

  EXPECT_THAT(layering_problems(source),
              ElementsAre("experts/router.h:3: experts must not include data, got 'data/batch.h'"));
}

TEST(Layering, spaces_and_angle_brackets_hide_nothing) {
  EXPECT_THAT(layering_problems({"src/base/a.h", " #  include   <config/tree.h>\n"}), SizeIs(1));
}

struct Arrow {
  std::string from;  // a path
  std::string to;
  bool allowed;
};

class Arrows : public testing::TestWithParam<Arrow> {};

TEST_P(Arrows, follow_the_drawing) {
  const auto& [from, to, allowed] = GetParam();

  EXPECT_THAT(layering_problems({from, "#include \"" + to + "/x.h\"\n"}), SizeIs(allowed ? 0 : 1)) << from << to;
}

INSTANTIATE_TEST_SUITE_P(Drawing, Arrows,
                         testing::Values(Arrow{"src/base/a.h", "base", true}, Arrow{"src/base/a.h", "config", false},
                                         Arrow{"src/config/a.h", "base", true}, Arrow{"src/config/a.h", "dist", false},
                                         Arrow{"dist/a.h", "config", true}, Arrow{"dist/a.h", "kernels", false},
                                         Arrow{"src/kernels/a.h", "dist", false},
                                         Arrow{"src/kernels/a.h", "experts", false},
                                         Arrow{"src/kernels/a.h", "data", false}, Arrow{"data/a.h", "config", true},
                                         Arrow{"data/a.h", "kernels", false}, Arrow{"data/a.h", "dist", false},
                                         Arrow{"experts/a.h", "dist", true}, Arrow{"experts/a.h", "kernels", true},
                                         Arrow{"experts/a.h", "data", false}, Arrow{"experts/a.h", "model", false},
                                         Arrow{"src/model/a.h", "experts", true}, Arrow{"src/model/a.h", "data", true},
                                         Arrow{"src/model/a.h", "kernels", true}, Arrow{"src/model/a.h", "dist", true},
                                         Arrow{"src/model/a.h", "eval", false}, Arrow{"src/eval/a.h", "model", true},
                                         Arrow{"src/eval/a.h", "train", false}, Arrow{"src/train/a.h", "eval", true},
                                         Arrow{"src/train/a.h", "cli", false}, Arrow{"src/report/a.h", "base", true},
                                         Arrow{"src/report/a.h", "train", false},
                                         Arrow{"src/sweep/a.h", "report", false}, Arrow{"src/cli/a.h", "train", true},
                                         Arrow{"src/cli/a.h", "sweep", true}));

TEST(Layering, a_source_that_includes_a_test_or_a_bare_name_is_found) {
  EXPECT_THAT(layering_problems({"src/base/a.h", "#include \"tests/harness/a.h\"\n"}), SizeIs(1));
  EXPECT_THAT(layering_problems({"src/base/a.h", "#include \"str.h\"\n"}),
              ElementsAre("src/base/a.h:1: must be written from a root as 'folder/x.h', got 'str.h'"));
}

TEST(Layering, system_headers_are_none_of_its_business) {
  EXPECT_THAT(layering_problems({"src/base/a.h", "#include <vector>\n#include <sys/stat.h>\n"}), IsEmpty());
}

TEST(Layering, a_folder_that_is_not_in_the_drawing_is_found) {
  EXPECT_THAT(layering_problems({"src/utils/a.h", ""}),
              ElementsAre("src/utils/a.h: folder 'utils' is not in the drawing"));
}

TEST(Ownership, of_library_headers_is_found_where_it_is_broken) {
  EXPECT_THAT(ownership_problems({"data/a.h", "#include <ATen/ATen.h>\n"}),
              ElementsAre("data/a.h:1: data must not see torch, got 'ATen/ATen.h'"));
  EXPECT_THAT(ownership_problems({"src/base/a.h", "#include <torch/csrc/autograd/variable.h>\n"}), SizeIs(1));
  EXPECT_THAT(ownership_problems({"src/config/a.h", "#include <c10/core/Device.h>\n"}), SizeIs(1));
  EXPECT_THAT(ownership_problems({"src/train/a.h", "#include <mpi.h>\n"}), SizeIs(1));
  EXPECT_THAT(ownership_problems({"experts/a.h", "#include <nccl.h>\n"}), SizeIs(1));
  EXPECT_THAT(ownership_problems({"src/model/a.h", "#include <hdf5.h>\n"}), SizeIs(1));
  EXPECT_THAT(ownership_problems({"src/model/a.h", "#include <c10/cuda/CUDAStream.h>\n"}), SizeIs(1));
  EXPECT_THAT(ownership_problems({"src/cli/a.h", "#include <toml++/toml.h>\n"}), SizeIs(1));
}

TEST(Ownership, is_kept_by_the_owners) {
  EXPECT_THAT(ownership_problems({"dist/a.h", "#include <mpi.h>\n#include <ATen/ATen.h>\n"}), IsEmpty());
  EXPECT_THAT(ownership_problems({"data/a.h", "#include <hdf5.h>\n#include \"data/hdf5.h\"\n"}), IsEmpty());
  EXPECT_THAT(ownership_problems({"src/kernels/a.cu", "#include <cuda_runtime.h>\n"}), IsEmpty());
}

TEST(Features, conditional_compilation_on_them_is_found) {
  EXPECT_THAT(feature_problems({"dist/a.h", "#ifdef COTERIE_CUDA\n#endif\n"}),
              ElementsAre("dist/a.h:1: a feature must be chosen by CMake, got '#ifdef COTERIE_CUDA'"));
  EXPECT_THAT(feature_problems({"dist/a.h", "# if defined(COTERIE_CUDA)\n#elif COTERIE_NCCL\n#endif\n"}), SizeIs(2));
  EXPECT_THAT(feature_problems({"dist/a.h", "#ifndef NDEBUG\n#endif\n#define COTERIE_CHECK(x)\n"}), IsEmpty());
}

TEST(Form, a_file_must_say_what_it_is_for) {
  EXPECT_THAT(form_problems({"src/base/a.h", "#pragma once\n// Late.\n"}),
              ElementsAre("src/base/a.h:1: must say in a comment what the file is for"));
  EXPECT_THAT(form_problems({"src/base/a.h", ""}), SizeIs(1));
  EXPECT_THAT(form_problems({"src/base/a.h", "#include \"base/a.h\"\n"}), SizeIs(1));
  EXPECT_THAT(form_problems({"src/base/a.h", "// What it is for.\n"}), IsEmpty());
}

TEST(Form, a_source_may_leave_that_to_its_header) {
  EXPECT_THAT(form_problems({"src/base/a.cpp", "#include \"base/a.h\"\n"}), IsEmpty());
  EXPECT_THAT(form_problems({"src/base/a.cpp", "#include <vector>\n"}), SizeIs(1));
  EXPECT_THAT(form_problems({"src/config/a.cpp", "#include \"base/a.h\"\n"}), SizeIs(1));
}

TEST(Form, files_and_lines_are_bounded) {
  const std::string start = "// What it is for.\n";
  const std::string dot = "\xC2\xB7";  // one column, two bytes
  std::string longest;
  for (int i = 0; i < 120; ++i) longest += dot;
  std::string text = start;
  for (int i = 1; i < 400; ++i) text += "\n";

  EXPECT_THAT(form_problems({"src/base/a.h", text}), IsEmpty());
  EXPECT_THAT(form_problems({"src/base/a.h", text + "\n"}),
              ElementsAre("src/base/a.h: must have at most 400 lines, got 401"));
  EXPECT_THAT(form_problems({"src/base/a.h", start + longest + "\n"}), IsEmpty());
  EXPECT_THAT(form_problems({"src/base/a.h", start + longest + "x\n"}),
              ElementsAre("src/base/a.h:2: must have at most 120 columns, got 121"));
}

}  // namespace
}  // namespace coterie::test
