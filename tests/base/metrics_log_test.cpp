// metrics.jsonl: lines as they are written, and as they are cut on resume.
#include "base/metrics_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"

namespace coterie {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

class MetricsLogTest : public testing::Test {
 protected:
  MetricsLogTest() : folder_(fs::temp_directory_path() / str("coterie-metrics-", ::getpid())) {
    fs::create_directory(folder_);
  }
  ~MetricsLogTest() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path path() const { return folder_ / "metrics.jsonl"; }
  [[nodiscard]] std::string content() const { return read_file(path()); }
  void put(const std::string& content) { std::ofstream(path(), std::ios::binary) << content; }
  MetricsLog open() { return {real_file_ops(), path()}; }

  fs::path folder_;
};

TEST_F(MetricsLogTest, each_line_is_there_as_soon_as_it_is_appended) {
  MetricsLog log = open();

  log.append(1, {{"loss", 0.5}, {"tokens_per_s", 1200}});
  const std::string after_one = content();
  log.append(2, ordered_json::object());

  EXPECT_EQ(after_one, "{\"step\":1,\"loss\":0.5,\"tokens_per_s\":1200}\n");
  EXPECT_EQ(content(), after_one + "{\"step\":2}\n");
}

TEST_F(MetricsLogTest, numbers_read_back_to_the_same_value) {
  const double value = 0.1 + 0.2;

  open().append(1, {{"a", value}, {"b", double{0.1f}}, {"c", 5e-324}});

  const auto line = ordered_json::parse(content());
  EXPECT_EQ(line["a"].get<double>(), value);
  EXPECT_EQ(line["b"].get<double>(), double{0.1f});
  EXPECT_EQ(line["c"].get<double>(), 5e-324);
}

TEST_F(MetricsLogTest, what_json_cannot_say_does_not_break_the_line) {
  open().append(1, {{"loss", std::nan("")}, {"text", "\xFF\n"}});

  EXPECT_EQ(content(), "{\"step\":1,\"loss\":null,\"text\":\"\xEF\xBF\xBD\\n\"}\n");
}

TEST_F(MetricsLogTest, an_existing_file_is_continued) {
  open().append(1, {{"loss", 1}});
  open().append(2, {{"loss", 2}});

  EXPECT_EQ(content(), "{\"step\":1,\"loss\":1}\n{\"step\":2,\"loss\":2}\n");
}

TEST_F(MetricsLogTest, lines_after_the_step_are_cut_and_appending_goes_on) {
  MetricsLog log = open();
  for (const int step : {1, 2, 2, 3, 4}) log.append(step, {{"loss", step}});

  log.truncate_after(2);
  log.append(3, {{"loss", 30}});

  EXPECT_EQ(content(),
            "{\"step\":1,\"loss\":1}\n{\"step\":2,\"loss\":2}\n{\"step\":2,\"loss\":2}\n{\"step\":3,\"loss\":30}\n");
}

TEST_F(MetricsLogTest, kept_lines_stay_byte_for_byte) {
  put("{ \"loss\": 1.50, \"step\": 1 }\n{\"step\":9}\n");

  open().truncate_after(1);

  EXPECT_EQ(content(), "{ \"loss\": 1.50, \"step\": 1 }\n");
}

TEST_F(MetricsLogTest, everything_can_be_cut) {
  put("{\"step\":0}\n{\"step\":1}\n");

  open().truncate_after(-1);

  EXPECT_EQ(content(), "");
}

TEST_F(MetricsLogTest, a_torn_last_line_is_dropped) {
  for (const char* torn : {"{\"st", "{\"step\":2}"}) {
    put(std::string("{\"step\":1}\n") + torn);

    MetricsLog log = open();
    log.append(2, {{"loss", 2}});

    EXPECT_EQ(content(), "{\"step\":1}\n{\"step\":2,\"loss\":2}\n");
  }
}

TEST_F(MetricsLogTest, a_malformed_line_is_named_and_the_file_stays) {
  for (const char* bad : {"{\"step\":2", "[2]", "{\"loss\":2}", "{\"step\":\"2\"}", "{\"step\":2.5}", ""}) {
    const std::string before = std::string("{\"step\":1}\n") + bad + "\n{\"step\":3}\n";
    put(before);
    try {
      open();
      FAIL() << "accepted " << bad;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("(" + path().string() + ":2)"));
    }
    EXPECT_EQ(content(), before);
  }
}

TEST_F(MetricsLogTest, its_whole_lines_can_be_read) {
  put("{\"step\":1,\"loss\":2.5}\n{\"step\":2}\n{\"step\":3");

  const auto lines = read_metrics_log(path());

  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["loss"], 2.5);
  EXPECT_EQ(lines[1]["step"], 2);
  EXPECT_TRUE(read_metrics_log(path().string() + ".absent").empty());
}

TEST_F(MetricsLogTest, fields_must_be_an_object_without_a_step) {
  MetricsLog log = open();

  EXPECT_THROW(log.append(1, ordered_json::array({1})), ShapeError);
  EXPECT_THROW(log.append(1, {{"step", 2}}), ShapeError);
  EXPECT_EQ(content(), "");
}

TEST_F(MetricsLogTest, a_full_disk_is_an_io_error) {
  // Every write to this device fails with "no space left".
  const fs::path full = folder_ / "full.jsonl";
  fs::create_symlink("/dev/full", full);

  const auto file = real_file_ops()->append(full);

  EXPECT_THROW(file->write("x"), IoError);
}

TEST_F(MetricsLogTest, a_missing_folder_is_an_io_error) {
  EXPECT_THROW(MetricsLog(real_file_ops(), folder_ / "none" / "metrics.jsonl"), IoError);
}

TEST_F(MetricsLogTest, lines_can_be_forced_to_the_disk) {
  MetricsLog log = open();
  log.append(1, {{"loss", 1}});

  EXPECT_NO_THROW(log.sync());
}

}  // namespace
}  // namespace coterie
