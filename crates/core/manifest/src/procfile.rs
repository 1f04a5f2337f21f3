//! core: a Procfile, as Heroku has it: `NAME: COMMAND` on each line.

use crate::fault::{Fault, Place};
use crate::invalid::Invalid;
use crate::name::correct_name;

/// One process of a Procfile.
pub(crate) struct Process {
    /// Made fit to be a service's name.
    pub(crate) name: String,
    pub(crate) command: String,
}

/// Its processes, and what is wrong with it.
pub(crate) fn read(text: &str) -> (Vec<Process>, Vec<Fault>) {
    let (mut processes, mut faults) = (Vec::<Process>::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        match read_line(trimmed, &processes) {
            Ok(process) => processes.push(process),
            Err(invalid) => faults.push(Fault::new("Procfile", Place::new(i + 1, 1, line), invalid)),
        }
    }
    (processes, faults)
}

fn read_line(line: &str, earlier: &[Process]) -> Result<Process, Invalid> {
    let wrong =
        || Invalid::new("this is not a process").help("write `NAME: COMMAND`, like `web: ./server --port $PORT`");
    let (written, command) = line.split_once(':').ok_or_else(wrong)?;
    let command = command.trim();
    if command.is_empty() || command.contains('\0') || written.contains(char::is_whitespace) {
        return Err(wrong());
    }
    if written == "release" {
        return Err(Invalid::new("`release` is a step before a release, and there is no such step yet")
            .help("remove the line and run it yourself, or put it in front: `web: sh -c './migrate && ./server'`"));
    }
    let name = correct_name(written).ok_or_else(wrong)?;
    if earlier.iter().any(|process| process.name == name) {
        return Err(Invalid::new(format!("there is a process `{name}` already")).help("rename one of them"));
    }
    Ok(Process { name, command: command.to_owned() })
}
