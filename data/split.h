// Which documents train, which validate, which test.
#pragma once

#include <vector>

#include "base/random.h"
#include "data/collection.h"

namespace coterie::data {

/// Shares of the documents of every domain; the rest trains.
struct SplitFractions {
  double validation = 0.15;
  double test = 0.20;
};

/// Gives every document a split, domain by domain.
///
/// With the fractions v and t rounded to a millionth, n documents give floor(n t) test documents and
/// floor(n (t + v)) - floor(n t) validation documents. The documents are put into a random order that depends on the
/// key, the domain's name, n, and which texts are equal; the first are the test, the next the validation. Documents of
/// equal text are one paper: they stand together in that order, where the first of them by the random order would, and
/// all take the split of that one, so that counts can differ by the size of such a group less one.
///
/// A collection whose documents all carry a split keeps them. Documents of every split stay out of this: beside them
/// are the queries that are split, and if those carry splits, of which none is validation, the share v of the training
/// queries becomes validation.
///
/// @throws ConfigError unless both fractions are in [0, 1) and their sum is below 1; DataError naming two documents if
/// in
///         a collection some carry a split and some do not
void assign_splits(std::vector<Collection>& collections, const SplitFractions& fractions, RandomKey key);

}  // namespace coterie::data
