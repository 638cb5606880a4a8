// Examples of what was found: the first queries, their best documents, and texts cut to be read.
#include "eval/retrieval_examples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace coterie::eval {
namespace {

// Documents f to a, as a task orders them; the run has found six of them for each of four queries.
struct Searched {
  Searched() {
    task.name = "x";
    for (const char* id : {"f", "e", "d", "c", "b", "a"}) task.documents.push_back({id, "text of it", "x"});
    for (const char* id : {"q4", "q2", "q1", "q3"}) {
      task.queries.push_back({id, id, "x"});
      for (const char* document : {"c", "a", "f", "b", "d", "e"})
        run.queries[id].push_back({document, 1.0F - 0.125F * static_cast<float>(run.queries[id].size())});
    }
    task.qrels.queries["q1"] = {{"a", 2}, {"c", 0}, {"absent", 1}};
  }

  RetrievalTask task;
  Ranking run;
};

TEST(FirstQueries, are_three_by_id_with_their_five_best_documents) {
  const Searched searched;

  const auto examples = first_queries(searched.task, searched.run);

  ASSERT_EQ(examples.size(), 3U);
  EXPECT_EQ(examples[0].id, "q1");
  EXPECT_EQ(examples[1].text, "q2");
  EXPECT_EQ(examples[2].id, "q3");
  std::vector<std::string> ids;
  for (const FoundExample& found : examples[0].found) ids.push_back(found.id);
  EXPECT_THAT(ids, testing::ElementsAre("c", "a", "f", "b", "d"));
  EXPECT_EQ(examples[0].found[1].score, 0.875F);
  EXPECT_EQ(examples[0].found[1].text, "text of it");
}

TEST(FirstQueries, say_what_is_relevant_from_the_first_grade_up) {
  const Searched searched;

  const auto examples = first_queries(searched.task, searched.run);

  std::vector<bool> relevant;
  for (const FoundExample& found : examples[0].found) relevant.push_back(found.relevant);
  EXPECT_THAT(relevant, testing::ElementsAre(false, true, false, false, false));
  for (const FoundExample& found : examples[1].found) EXPECT_FALSE(found.relevant);
}

TEST(FirstQueries, of_a_run_of_another_task_are_refused) {
  Searched searched;
  searched.run.queries["q1"][0].document = "cc";

  EXPECT_THROW((void)first_queries(searched.task, searched.run), ShapeError);
}

TEST(ExamplesJson, has_every_field) {
  const auto json = examples_json({{"q", "query", {{"d", 0.5F, "document", true}}}});

  EXPECT_EQ(json.dump(),
            R"([{"id":"q","text":"query","found":[{"id":"d","score":0.5,"text":"document","relevant":true}]}])");
}

TEST(BeginningOf, keeps_a_text_that_is_short_enough) {
  EXPECT_EQ(beginning_of("abc", 3), "abc");
  EXPECT_EQ(beginning_of("", 3), "");
  EXPECT_EQ(beginning_of("abc \n", 3), "abc");
}

TEST(BeginningOf, cuts_characters_not_bytes) {
  EXPECT_EQ(beginning_of("abcd", 3), "abc...");
  EXPECT_EQ(beginning_of("\u00e9\u00e9\u00e9\u00e9", 3), "\u00e9\u00e9\u00e9...");
  // A blank and what follows it do not fit together.
  EXPECT_EQ(beginning_of("ab c", 3), "ab...");
}

TEST(BeginningOf, is_on_one_line) {
  EXPECT_EQ(beginning_of("  a\n\tb\u00a0c", 10), "a b c");
  EXPECT_EQ(beginning_of("a\xff", 10), "a\ufffd");
}

}  // namespace
}  // namespace coterie::eval
