//! Quoted text in templates: Go's string literals, in either quotes.

use std::str::Chars;

/// What stands for `inside`, which is text between two of `quote`. None where an escape is unknown.
pub fn unquote(inside: &str, quote: char) -> Option<String> {
    // Escapes like \xe2 name bytes, of which several make a character.
    let mut bytes = Vec::with_capacity(inside.len());
    let mut rest = inside.chars();
    while let Some(c) = rest.next() {
        let character = if c == '\\' { rest.next()? } else { c };
        let plain = match character {
            _ if c != '\\' => c,
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' => '\\',
            'u' => char::from_u32(number(0, &mut rest, 4, 16)?)?,
            'U' => char::from_u32(number(0, &mut rest, 8, 16)?)?,
            'x' => {
                bytes.push(u8::try_from(number(0, &mut rest, 2, 16)?).ok()?);
                continue;
            }
            digit @ '0'..='7' => {
                bytes.push(u8::try_from(number(digit.to_digit(8)?, &mut rest, 2, 8)?).ok()?);
                continue;
            }
            other if other == quote => quote,
            _ => return None,
        };
        bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `start` with the next `count` digits after it.
fn number(start: u32, rest: &mut Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    (0..count)
        .try_fold(start, |number, _| number.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_go() {
        for (inside, quote, text) in [
            (r"a\tb\n", '"', Some("a\tb\n")),
            (r"\x41\u00e9\101\U0001F600", '"', Some("Aé\u{41}\u{1f600}")),
            (r"\xe2\x82\xac", '"', Some("€")),
            (r"\'", '\'', Some("'")),
            (r"\\", '\'', Some("\\")),
            (r"\'", '"', None),
            (r"\q", '"', None),
            (r"\x4", '"', None),
            (r"\777", '"', None),
            (r"\ud800", '"', None),
            (r"\", '"', None),
        ] {
            assert_eq!(unquote(inside, quote).as_deref(), text, "{inside}");
        }
    }
}
