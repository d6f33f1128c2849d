//! Settings that a file, a parser or a shell could take for something else.

use std::collections::BTreeMap;

/// Makes the same settings for the same seed.
pub struct Values {
    pub seed: u64,
    state: u64,
}

const PIECES: [&str; 70] = [
    "a", "b", "password", "0", "1", "é", "ß", "日本", "😀", " ", "  ", "\t", "\n", "\r", "\r\n", "\u{b}",
    "\u{c}", "\u{1}", "\u{1f}", "\u{7f}", "\u{85}", "\u{a0}", "\u{2003}", "\u{2028}", "\u{2029}", "\u{feff}",
    "\u{fffd}", "\0", "#", " #", "# ", ":", ": ", " : ", "=", "==", ",", ";", "'", "''", "\"", "\\", "\\n",
    "$", "$$", "$(A)", "${A}", "%", "%s", "*", "?", "!", "&", "|", ">", "<", "<<", "@", "`", "`id`", "~",
    "-", "--", "---", "...", "[", "]", "{", "}", ".",
];

/// What stands for a kind by itself.
pub fn telling() -> Vec<(String, String)> {
    let values = [
        "secret #1",
        "#ff0000",
        "a\nb: c",
        "a\r\nb",
        " outer",
        "outer ",
        "\t",
        "",
        "null",
        "~",
        "true",
        "012",
        "0x1F",
        "1:30",
        "1_000",
        "2024-01-01",
        "1e3",
        ".nan",
        "a: b",
        "{a: b}",
        "[a, b]",
        "'a'",
        "\"a\"",
        "- a",
        "? a",
        "a=b",
        "--x",
        "\n",
        "\n\n",
        "a\n",
        "\n a",
        "|\n a",
        "\\u0041",
        "-----BEGIN KEY-----\nMIIE\n-----END KEY-----\n",
    ];
    let keys = [
        "a", "my..key", ".key", "key.", "my key", "key ", " key", "my#key", "my: key", "my:key", "key:",
        "my=key", "1.2", "my.null", "my.~", "my.<<", "*my", "my\nkey", "é.key",
    ];
    let of_values = values.into_iter().map(|value| ("my.key".to_owned(), value.to_owned()));
    of_values.chain(keys.into_iter().map(|key| (key.to_owned(), "v".to_owned()))).collect()
}

impl Values {
    /// KUBECTL_FLINK_TEST_SEED, which tests/formats/with-flinks prints, says which.
    pub fn new() -> Self {
        let seed = std::env::var("KUBECTL_FLINK_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.expect("make formats says the seed");
        Self { seed, state: seed }
    }

    /// splitmix64.
    fn next(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn text(&mut self, most: usize) -> String {
        let pieces = 1 + self.next(most);
        (0..pieces).map(|_| self.piece()).collect()
    }

    fn piece(&mut self) -> String {
        match self.next(12) {
            0 => char::from_u32(self.next(0x11_0000) as u32).unwrap_or('x').to_string(),
            1..=5 => PIECES[self.next(8)].to_owned(),
            _ => PIECES[self.next(PIECES.len())].to_owned(),
        }
    }

    pub fn value(&mut self) -> String {
        self.text(6)
    }

    /// Most are as keys are.
    pub fn key(&mut self) -> String {
        match self.next(4) {
            0 => format!("my.{}", self.text(3)),
            1 => self.text(3),
            _ => format!("my.key-{}", self.next(9)),
        }
    }

    /// Keys as annotations have them, values as anybody may have them; at least one, or there is nothing to set.
    pub fn map(&mut self) -> BTreeMap<String, String> {
        const KEYS: [&str; 5] = ["a", "note", "team.example/owner", "color", "x_y.z"];
        let entries = 1 + self.next(3);
        (0..entries)
            .map(|_| {
                let value = if self.next(8) == 0 { String::new() } else { self.text(4).replace('\0', "") };
                (KEYS[self.next(KEYS.len())].to_owned(), value)
            })
            .collect()
    }
}
