// The words of synthetic documents: plain English, so that a WordPiece vocabulary knows them.
#pragma once

#include <array>
#include <string_view>

namespace coterie::data {

/// A field of science with its words.
struct SynthField {
  std::string_view name;
  std::array<std::string_view, 48> words;
};

inline constexpr std::array<SynthField, 8> kSynthFields = {{
    {"geology", {"basalt",  "sediment", "fault",     "granite",  "mantle",   "crust",     "glacier",    "river",
                 "erosion", "mineral",  "crystal",   "quartz",   "lava",     "volcano",   "earthquake", "slope",
                 "canyon",  "coast",    "delta",     "plain",    "valley",   "ridge",     "plate",      "uplift",
                 "fossil",  "stratum",  "limestone", "clay",     "sand",     "gravel",    "aquifer",    "spring",
                 "basin",   "reef",     "island",    "trench",   "iron",     "copper",    "salt",       "coal",
                 "tunnel",  "survey",   "magnet",    "pressure", "fracture", "landslide", "dune",       "cave"}},
    {"medicine", {"patient", "surgery",  "infection", "fever",    "vaccine", "antibody", "tumor",     "cancer",
                  "heart",   "artery",   "kidney",    "liver",    "lung",    "asthma",   "diabetes",  "insulin",
                  "nurse",   "hospital", "dose",      "tablet",   "placebo", "trial",    "symptom",   "diagnosis",
                  "pain",    "nerve",    "brain",     "stroke",   "memory",  "sleep",    "anxiety",   "therapy",
                  "bone",    "muscle",   "joint",     "fracture", "skin",    "wound",    "blood",     "plasma",
                  "protein", "hormone",  "virus",     "bacteria", "diet",    "obesity",  "pregnancy", "infant"}},
    {"computing", {"compiler", "database",  "network",  "server",   "protocol",   "packet",   "router", "cache",
                   "memory",   "processor", "thread",   "kernel",   "scheduler",  "queue",    "graph",  "tree",
                   "search",   "index",     "query",    "ranking",  "encryption", "password", "key",    "attack",
                   "image",    "pixel",     "camera",   "video",    "speech",     "grammar",  "parser", "translation",
                   "robot",    "sensor",    "planning", "learning", "neuron",     "gradient", "matrix", "cluster",
                   "browser",  "interface", "menu",     "keyboard", "software",   "testing",  "proof",  "logic"}},
    {"economics", {"market",   "price",   "inflation", "currency", "bank",    "credit",      "loan",     "debt",
                   "tax",      "budget",  "welfare",   "poverty",  "income",  "wage",        "labor",    "union",
                   "trade",    "tariff",  "export",    "import",   "firm",    "merger",      "monopoly", "auction",
                   "consumer", "demand",  "supply",    "store",    "brand",   "advertising", "stock",    "bond",
                   "investor", "risk",    "insurance", "pension",  "housing", "rent",        "mortgage", "land",
                   "farm",     "harvest", "energy",    "oil",      "growth",  "crisis",      "policy",   "election"}},
    {"ecology",
     {"forest",  "meadow",  "wetland",  "river",    "lake",    "ocean",     "plankton", "fish",    "salmon",  "whale",
      "seal",    "bird",    "owl",      "sparrow",  "nest",    "migration", "insect",   "bee",     "pollen",  "flower",
      "seed",    "root",    "leaf",     "fungus",   "soil",    "nitrogen",  "carbon",   "climate", "drought", "fire",
      "flood",   "storm",   "predator", "prey",     "wolf",    "deer",      "grazing",  "cattle",  "pasture", "hunting",
      "species", "habitat", "invasion", "parasite", "disease", "frog",      "snake",    "beetle"}},
    {"music", {"melody",   "harmony",  "rhythm",   "tempo",      "scale",    "chord",     "pitch",    "timbre",
               "violin",   "piano",    "flute",    "drum",       "guitar",   "organ",     "choir",    "singer",
               "opera",    "symphony", "concert",  "audience",   "stage",    "recording", "radio",    "album",
               "jazz",     "blues",    "folk",     "dance",      "hymn",     "church",    "court",    "patron",
               "composer", "score",    "notation", "manuscript", "printing", "teacher",   "pupil",    "practice",
               "ear",      "hearing",  "noise",    "silence",    "emotion",  "memory",    "festival", "tradition"}},
    {"astronomy", {"star",      "planet",   "moon",      "comet",    "asteroid",   "galaxy",   "nebula",    "cluster",
                   "orbit",     "gravity",  "mass",      "spin",     "dust",       "gas",      "hydrogen",  "helium",
                   "spectrum",  "redshift", "telescope", "mirror",   "lens",       "detector", "satellite", "rocket",
                   "eclipse",   "flare",    "wind",      "magnetic", "field",      "radio",    "infrared",  "ray",
                   "supernova", "pulsar",   "disk",      "jet",      "halo",       "dark",     "matter",    "vacuum",
                   "crater",    "ring",     "ocean",     "ice",      "atmosphere", "cloud",    "transit",   "survey"}},
    {"history",
     {"empire",  "king",   "queen",   "court",    "war",    "army",    "siege",     "treaty",  "castle",     "city",
      "village", "market", "guild",   "merchant", "harbor", "ship",    "slave",     "peasant", "harvest",    "famine",
      "plague",  "church", "monk",    "bishop",   "heresy", "pilgrim", "temple",    "grave",   "pottery",    "coin",
      "sword",   "letter", "archive", "diary",    "map",    "border",  "colony",    "revolt",  "parliament", "law",
      "prison",  "exile",  "railway", "factory",  "strike", "school",  "newspaper", "memory"}},
}};

/// Sentences of synthetic documents; every `*` is a place for a word.
inline constexpr std::array<std::string_view, 20> kSynthSentences = {
    "we present a study of * and *",
    "this paper shows how * depends on *",
    "the role of * in * is not well understood",
    "we compare * with * and discuss *",
    "results for * agree with earlier work on *",
    "a new method measures * in the presence of *",
    "we argue that * follows from * and *",
    "data on * were collected over ten years",
    "the effect of * is larger than that of *",
    "little is known about * under *",
    "our model of * explains most of the observed *",
    "these findings have consequences for *",
    "a review of * with emphasis on * and *",
    "changes in * are linked to changes in *",
    "we find no evidence that * causes *",
    "an analysis of * reveals the importance of *",
    "both * and * were examined in detail",
    "the relation between * and * remains open",
    "we describe the first account of *",
    "future work should consider * together with *",
};

/// Titles of synthetic documents.
inline constexpr std::array<std::string_view, 8> kSynthTitles = {
    "on the * of *",      "* and * in *",       "a theory of *",           "measuring * with *",
    "the structure of *", "* under changing *", "what * tells us about *", "notes on * and its *",
};

}  // namespace coterie::data
