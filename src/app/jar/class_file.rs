//! What a Java class file says of its `main`: as much of it as a program's first class takes.
//!
//! The layout is that of chapter 4 of the Java Virtual Machine Specification. Flink starts the class that it is given
//! when that is public and has, itself or by inheritance, a method `public static void main(String[])`
//! (`PackagedProgram.hasMainMethod` and `callMainMethod`, 1.10 to 2.3). Such a method is what Scala makes of `main` of an
//! `object`, in the class without the `$`, and Kotlin of `fun main` in the class of the file, `NameKt`.

/// A class, as its file describes it.
#[derive(Debug, PartialEq, Eq)]
pub struct ClassFile {
    pub is_public: bool,
    /// It has a `public static void main(String[])` of its own.
    pub has_main: bool,
    /// The class that it extends, with dots; none for an interface or `java.lang.Object`.
    pub parent: Option<String>,
}

const PUBLIC: u16 = 0x0001;
const STATIC: u16 = 0x0008;

impl ClassFile {
    /// None for what is not a class file, or not a whole one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.take(4)? != [0xca, 0xfe, 0xba, 0xbe] {
            return None;
        }
        reader.take(4)?;
        let pool = Pool::parse(&mut reader)?;
        let access = reader.u16()?;
        reader.u16()?;
        let parent = pool.class(reader.u16()?).map(|name| name.replace('/', "."));
        let interfaces = reader.u16()?;
        reader.take(usize::from(interfaces) * 2)?;
        members(&mut reader, |_, _, _| {})?;
        let mut has_main = false;
        members(&mut reader, |access, name, descriptor| {
            has_main |= access & (PUBLIC | STATIC) == PUBLIC | STATIC
                && pool.text(name) == Some(b"main")
                && pool.text(descriptor) == Some(b"([Ljava/lang/String;)V");
        })?;
        let parent = parent.filter(|name| name != "java.lang.Object");
        Some(Self { is_public: access & PUBLIC != 0, has_main, parent })
    }
}

/// Reads the fields or the methods: access, and where the pool has name and descriptor.
fn members(reader: &mut Reader<'_>, mut each: impl FnMut(u16, u16, u16)) -> Option<()> {
    for _ in 0..reader.u16()? {
        each(reader.u16()?, reader.u16()?, reader.u16()?);
        for _ in 0..reader.u16()? {
            reader.u16()?;
            let length = usize::try_from(reader.u32()?).ok()?;
            reader.take(length)?;
        }
    }
    Some(())
}

/// The constants of a class.
struct Pool<'a>(Vec<Constant<'a>>);

#[derive(Clone, Copy)]
enum Constant<'a> {
    Text(&'a [u8]),
    Class(u16),
    Other,
}

impl<'a> Pool<'a> {
    fn parse(reader: &mut Reader<'a>) -> Option<Self> {
        let count = usize::from(reader.u16()?);
        // The first has the number 1.
        let mut constants = vec![Constant::Other];
        while constants.len() < count {
            let tag = reader.u8()?;
            constants.push(match tag {
                1 => {
                    let length = reader.u16()?;
                    Constant::Text(reader.take(length.into())?)
                }
                7 => Constant::Class(reader.u16()?),
                8 | 16 | 19 | 20 => reader.skipped(2)?,
                15 => reader.skipped(3)?,
                3 | 4 | 9..=12 | 17 | 18 => reader.skipped(4)?,
                5 | 6 => reader.skipped(8)?,
                _ => return None,
            });
            // A number of 64 bits takes two places.
            if matches!(tag, 5 | 6) {
                constants.push(Constant::Other);
            }
        }
        Some(Self(constants))
    }

    fn text(&self, index: u16) -> Option<&'a [u8]> {
        match self.0.get(usize::from(index))? {
            Constant::Text(text) => Some(text),
            _ => None,
        }
    }

    fn class(&self, index: u16) -> Option<String> {
        match self.0.get(usize::from(index))? {
            Constant::Class(name) => Some(String::from_utf8_lossy(self.text(*name)?).into_owned()),
            _ => None,
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn skipped(&mut self, length: usize) -> Option<Constant<'a>> {
        self.take(length).map(|_| Constant::Other)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A class file with one method.
    pub fn class(access: u16, parent: &str, method: (u16, &str, &str)) -> Vec<u8> {
        let mut bytes = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52, 0, 9];
        let text = |text: &str| [&[1][..], &(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
        bytes.extend(text(method.1));
        bytes.extend(text(method.2));
        bytes.extend(text(parent));
        bytes.extend([7, 0, 3]);
        // A long, with an empty place behind it.
        bytes.extend([5, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend(text("a/Main"));
        bytes.extend([7, 0, 7]);
        bytes.extend(access.to_be_bytes());
        bytes.extend([0, 8, 0, 4, 0, 0, 0, 0, 0, 1]);
        bytes.extend(method.0.to_be_bytes());
        bytes.extend([0, 1, 0, 2, 0, 1, 0, 1, 0, 0, 0, 2, 9, 9]);
        bytes
    }

    const MAIN: &str = "([Ljava/lang/String;)V";

    #[test]
    fn only_a_public_static_main_of_strings_counts() {
        let has_main =
            |method| ClassFile::parse(&class(0x21, "java/lang/Object", method)).expect("a class").has_main;
        assert!(has_main((0x09, "main", MAIN)));
        // Also varargs, final and synchronized ones, and Kotlin's bridge.
        assert!(has_main((0x1099, "main", MAIN)));
        // As in the `$` class of a Scala object, a Kotlin object without @JvmStatic, and a Java of late.
        assert!(!has_main((0x01, "main", MAIN)));
        assert!(!has_main((0x08, "main", MAIN)));
        assert!(!has_main((0x09, "main", "()V")));
        assert!(!has_main((0x09, "run", MAIN)));
    }

    #[test]
    fn a_class_names_its_parent() {
        let class =
            |access, parent| ClassFile::parse(&class(access, parent, (0x09, "main", MAIN))).expect("a class");
        assert_eq!(class(0x21, "a/b/Base").parent.as_deref(), Some("a.b.Base"));
        assert_eq!((class(0x20, "java/lang/Object").parent, class(0x20, "x").is_public), (None, false));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_no_class() {
        let whole = class(0x21, "a/b/Base", (0x09, "main", MAIN));
        assert!(ClassFile::parse(&whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(ClassFile::parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(ClassFile::parse(b"\xca\xfe\xba\xbe\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }
}
