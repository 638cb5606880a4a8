// A corpus made from nothing, in the shape of a real one.
#pragma once

#include <vector>

#include "base/random.h"
#include "data/collection.h"
#include "data/options.h"

namespace coterie::data {

/// Makes documents and co-citations of `options.domains` domains.
///
/// A domain has the words of one or two fields of science, and topics that each prefer a few of them, so that topics
/// overlap. A document belongs to one or two topics; its text mixes their words with other words of the domain into
/// sentences that all domains share. A citing paper draws a topic and cites several of its documents, the popular ones
/// more often, and at times one of another topic; co-citations follow from these reference lists as they do for real
/// papers. Which words belong together is not to be seen in a single document, so there is something to learn.
///
/// @return  the same for the same options and key; domains are named after their fields
[[nodiscard]] std::vector<Collection> synthesize(const SynthOptions& options, RandomKey key);

}  // namespace coterie::data
