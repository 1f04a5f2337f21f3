//! Core: what clients and people are told of the commands.

use ringway_protocol::resp::Out;

use super::{Group, KeyPlaces, NO_SCRIPT, READ, Run, Spec, WRITE};

impl Group {
    /// As COMMAND DOCS calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Hash => "hash",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Transactions => "transactions",
            Group::Scripting => "scripting",
            Group::PubSub => "pubsub",
            Group::Server => "server",
            Group::Cluster => "cluster",
        }
    }
}

impl Spec {
    /// As COMMAND tells it: name, words, flags, first key, last key, step; no categories, tips, key specifications, subcommands.
    pub(crate) fn tell(&self, out: &mut Out) {
        let is_blocking = matches!(self.run, Run::Blocking(..));
        // Of those that have commands of their own, these have the flag.
        let has_parts = ["client", "config", "pubsub", "script"].contains(&self.name);
        let flags = [
            (self.has(READ), "readonly"),
            (self.has(WRITE) && self.group != Group::Scripting, "write"),
            (self.has(NO_SCRIPT) && !has_parts, "noscript"),
            (is_blocking, "blocking"),
            // redis-py's cluster client sends what has it to any node.
            (self.group == Group::PubSub && !has_parts, "pubsub"),
            (matches!(self.keys, KeyPlaces::Counted { .. }), "movablekeys"),
        ];
        let said: Vec<&str> = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect();
        let (first, last, step) = match self.keys {
            // Their channels have a slot.
            _ if self.name == "spublish" => (1, 1, 1),
            _ if ["ssubscribe", "sunsubscribe"].contains(&self.name) => (1, -1, 1),
            KeyPlaces::None | KeyPlaces::Counted { has_target: false, .. } => (0, 0, 0),
            KeyPlaces::First | KeyPlaces::Counted { has_target: true, .. } => (1, 1, 1),
            KeyPlaces::Range { first, last, step } => (first as i64, i64::from(last), step as i64),
        };
        // redis-py reads the seventh from version 3 clients' replies without asking whether it is there.
        out.array(10);
        out.bulk(self.name.as_bytes());
        out.int(self.arity.into());
        out.set(said.len());
        said.iter().for_each(|flag| out.simple(flag));
        [first, last, step].into_iter().for_each(|number| out.int(number));
        out.set(0);
        (0..3).for_each(|_| out.array(0));
    }

    /// As COMMAND DOCS tells it.
    pub(crate) fn tell_docs(&self, out: &mut Out) {
        out.bulk(self.name.as_bytes());
        out.map(2);
        out.bulk(b"summary");
        out.bulk(self.summary.as_bytes());
        out.bulk(b"group");
        out.bulk(self.group.name().as_bytes());
    }
}

/// The page of the documentation.
#[cfg(test)]
pub(crate) fn docs() -> String {
    let mut specs: Vec<&Spec> = super::specs().collect();
    specs.sort_by_key(|spec| (spec.group.name(), spec.name));
    let mut page = String::from(
        "# The commands of the Redis door\n\nMade from the command table (`crates/tier/data/src/command.rs`) by its tests. What is \
         not here answers as Redis answers unknown\ncommands.\n\n| group | command | what it does |\n|---|---|---|\n",
    );
    for spec in specs {
        page.push_str(&format!("| {} | `{}` | {} |\n", spec.group.name(), spec.name.to_uppercase(), spec.summary));
    }
    page
}
