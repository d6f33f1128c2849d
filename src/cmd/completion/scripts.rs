//! What a shell must be told to complete the direct name, `kubectl-flink`. The scripts ask this program, as
//! kubectl does, so that live names are offered there too.

/// A shell that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Fish,
    Powershell,
    Zsh,
}

/// A line of every script, by which a file is known as ours: this, and the name of the shell.
pub const MARK: &str = "completion of kubectl-flink. Written by: kubectl flink completion";

impl Shell {
    pub const ALL: [Self; 4] = [Self::Bash, Self::Fish, Self::Powershell, Self::Zsh];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Zsh => "zsh",
        }
    }

    /// The shell of this program's name, such as that of `$SHELL`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "pwsh" => Some(Self::Powershell),
            name => Self::ALL.into_iter().find(|shell| shell.name() == name),
        }
    }

    /// The line that turns on kubectl's own completion, on which `kubectl flink <TAB>` stands.
    pub fn kubectls(self) -> &'static str {
        match self {
            Self::Bash => "source <(kubectl completion bash)",
            Self::Fish => "kubectl completion fish | source",
            Self::Powershell => "kubectl completion powershell | Out-String | Invoke-Expression",
            Self::Zsh => "source <(kubectl completion zsh)",
        }
    }

    /// The script, for the program at this path.
    pub fn script(self, program: &str) -> String {
        let script = match self {
            Self::Bash => include_str!("scripts/bash"),
            Self::Fish => include_str!("scripts/fish"),
            Self::Powershell => include_str!("scripts/powershell"),
            Self::Zsh => include_str!("scripts/zsh"),
        };
        script.replace("PROGRAM", &self.quoted(program))
    }

    /// `text` as one word of the shell, whatever is in it.
    fn quoted(self, text: &str) -> String {
        let inner = match self {
            Self::Bash | Self::Zsh => text.replace('\'', r"'\''"),
            Self::Fish => text.replace('\\', r"\\").replace('\'', r"\'"),
            Self::Powershell => text.replace('\'', "''"),
        };
        format!("'{inner}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_whatever_is_in_it() {
        let path = r"/o'd d\r/kubectl-flink";
        let called = |shell: Shell| {
            let script = shell.script(path);
            assert!(script.contains(&format!("{} __complete", shell.quoted(path))), "{script}");
            assert!(!script.contains("PROGRAM"), "{script}");
            shell.quoted(path)
        };
        assert_eq!(called(Shell::Bash), r"'/o'\''d d\r/kubectl-flink'");
        assert_eq!(called(Shell::Zsh), r"'/o'\''d d\r/kubectl-flink'");
        assert_eq!(called(Shell::Fish), r"'/o\'d d\\r/kubectl-flink'");
        assert_eq!(called(Shell::Powershell), r"'/o''d d\r/kubectl-flink'");
    }

    #[test]
    fn every_script_says_whose_it_is() {
        for shell in Shell::ALL {
            let mark = format!("{MARK} {}\n", shell.name());
            assert!(shell.script("x").contains(&mark), "{}", shell.name());
            assert_eq!(Shell::named(shell.name()), Some(shell));
        }
        assert_eq!(Shell::named("tcsh"), None);
    }
}
