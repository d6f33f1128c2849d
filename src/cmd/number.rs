//! Whole numbers as flags take them.

use std::ops::RangeInclusive;

/// A parser of whole numbers within `range`, whose error says what is expected.
pub fn within<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: TryFrom<i64> + Into<i64> + Copy + Send + Sync + 'static,
{
    let (least, most): (i64, i64) = ((*range.start()).into(), (*range.end()).into());
    move |text| {
        let number = text.parse::<i64>().ok().filter(|number| (least..=most).contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| match most {
            most if most >= i64::from(i32::MAX) => format!("expected a whole number, {least} or more"),
            most => format!("expected a whole number from {least} to {most}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_within_its_range_or_is_told_the_range() {
        let slots = within(1..=u16::MAX);
        assert_eq!(slots("65535"), Ok(65535));
        for wrong in ["0", "x", "-1", "1.5", "", "65536", "99999999999999999999"] {
            assert_eq!(slots(wrong), Err("expected a whole number from 1 to 65535".to_owned()), "{wrong}");
        }
        assert_eq!(within(1..=u32::MAX)("0"), Err("expected a whole number, 1 or more".to_owned()));
        assert_eq!(within(-1..=i32::MAX)("-1"), Ok(-1));
    }
}
