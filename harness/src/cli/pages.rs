//! `netprop completions` and `netprop man`: the command line, for shells and for `man`.

use clap::Command;
use clap_complete::Shell;

use super::args::{CompletionsOptions, ManOptions};
use super::{Fatal, wrong};
use crate::exit::Exit;
use crate::whole;

pub(crate) fn completions(mut command: Command, options: &CompletionsOptions) -> Result<Exit, Fatal> {
    super::print(&script(&mut command, options.shell));
    Ok(Exit::Holds)
}

fn script(command: &mut Command, shell: Shell) -> String {
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes a page for the command and one for each of its commands.
pub(crate) fn man(command: Command, options: &ManOptions) -> Result<Exit, Fatal> {
    for (name, page) in pages(command) {
        let path = options.directory.join(name);
        let refused = |error| {
            wrong(format!("cannot write the page {}: {error}: name another directory", path.display()))
        };
        whole::write(&path, &page).map_err(refused)?;
    }
    Ok(Exit::Holds)
}

/// The name and the text of each page.
fn pages(command: Command) -> Vec<(String, Vec<u8>)> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let commands: Vec<Command> = command.get_subcommands().cloned().chain([command.clone()]).collect();
    let page = |command: Command| {
        let (page, mut text) = (clap_mangen::Man::new(command), Vec::new());
        // A vector takes whatever is written to it.
        page.render(&mut text).ok();
        (page.get_filename(), text)
    };
    commands.into_iter().map(page).collect()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn each_shell_completes_each_command_and_option() {
        for &shell in Shell::value_variants() {
            let script = script(&mut Cli::command(), shell);
            let known = ["replay", "junit", "lane-share"];
            assert!(known.iter().all(|word| script.contains(word)), "{shell}");
        }
    }

    #[test]
    fn each_command_has_a_page_with_its_options() {
        let pages = pages(Cli::command());
        let all: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["netprop.1", "netprop-run.1", "netprop-config.1", "netprop-man.1"] {
            assert!(all.contains(&name), "{name} is not in {all:?}");
        }
        let run = pages.iter().find(|(name, _)| name == "netprop-run.1").map(|(_, text)| text.clone());
        let run = String::from_utf8(run.unwrap()).unwrap();
        assert!(run.contains("\\-\\-junit") && run.contains("Exit status: 0"), "{run}");
    }
}
