#include "model/key-words.h"

#include "base/str.h"

#define LETTERS_MAX 6

/* One for each value of a byte, in alphabetical order. Any two differ in three letters or more, and
 * they were chosen to sound unlike each other: one misheard is none, not another. A word once
 * released keeps its place, since machines of different versions have to show the same. Arrays,
 * not pointers: nothing to relocate. */
static const char words[256][LETTERS_MAX + 1] = {
        "acorn",  "album",  "alley",  "almond", "anchor", "ankle",  "arrow",  "artist", "atlas",
        "attic",  "autumn", "avenue", "award",  "bakery", "ballad", "bamboo", "banjo",  "barrel",
        "basket", "beaver", "bishop", "bonus",  "bottle", "bridge", "bronze", "button", "cabin",
        "cactus", "canyon", "carpet", "castle", "chalk",  "cherry", "chess",  "church", "circus",
        "clinic", "cloud",  "clover", "coffee", "copper", "cousin", "coyote", "cradle", "crown",
        "cuckoo", "dagger", "daisy",  "denim",  "detail", "dinner", "doctor", "dollar", "donkey",
        "dragon", "drum",   "dusk",   "echo",   "elbow",  "elder",  "enamel", "engine", "equal",
        "export", "fabric", "falcon", "family", "farmer", "fence",  "fiddle", "flute",  "forest",
        "fossil", "fox",    "fresco", "fudge",  "gadget", "galaxy", "garage", "garden", "garlic",
        "ghost",  "giant",  "globe",  "goblin", "golf",   "gospel", "gravel", "guitar", "harp",
        "hazel",  "hermit", "humid",  "hunter", "hybrid", "hyena",  "icicle", "insect", "iris",
        "island", "ivory",  "jaguar", "jazz",   "jelly",  "jersey", "jigsaw", "jumbo",  "jungle",
        "junior", "jury",   "kennel", "kidney", "kiosk",  "kiwi",   "knife",  "koala",  "ladder",
        "lagoon", "laptop", "lasso",  "lemon",  "lentil", "lily",   "lizard", "lobby",  "lunch",
        "luxury", "magnet", "magpie", "mammal", "mascot", "mentor", "method", "mimosa", "mirror",
        "mosaic", "muffin", "museum", "myrtle", "napkin", "nectar", "needle", "nickel", "north",
        "novel",  "nozzle", "nurse",  "nutmeg", "nylon",  "oasis",  "oboe",   "ocean",  "octave",
        "office", "olive",  "onion",  "opera",  "orange", "orbit",  "otter",  "outfit", "oxygen",
        "palace", "panda",  "paper",  "pastry", "pebble", "photo",  "picnic", "pigeon", "pillow",
        "pirate", "pizza",  "planet", "pocket", "polka",  "poppy",  "potato", "powder", "puppet",
        "purple", "queen",  "quilt",  "quiver", "rabbit", "radar",  "raisin", "recipe", "relish",
        "ribbon", "rodeo",  "rubber", "rugby",  "safari", "scarf",  "school", "scout",  "shadow",
        "shelf",  "shrimp", "silver", "siren",  "sketch", "smoke",  "snail",  "soccer", "sphinx",
        "spider", "spoon",  "squash", "statue", "stereo", "storm",  "sugar",  "sultan", "summer",
        "sunset", "swamp",  "syrup",  "table",  "talent", "tarmac", "tavern", "teapot", "tennis",
        "thread", "thumb",  "timber", "toast",  "topaz",  "tripod", "trophy", "tulip",  "tundra",
        "turkey", "tuxedo", "twelve", "urban",  "usher",  "utopia", "vacuum", "velvet", "viking",
        "violin", "visit",  "vortex", "voyage", "waffle", "walnut", "wheat",  "window", "wombat",
        "zebra",  "zenith", "zigzag", "zodiac",
};

static_assert(KEY_WORDS_MAX == KEY_WORDS_N * (LETTERS_MAX + 1), "each word with what ends it");

char *key_words(const uint8_t fp[static KEY_WORDS_FP_SIZE], char buf[static KEY_WORDS_MAX])
{
        char *p = buf;

        for (size_t i = 0; i < KEY_WORDS_N; i++) {
                if (i > 0)
                        *p++ = ' ';
                p = stpcpy(p, words[fp[i]]);
        }
        return buf;
}
