//! core: the app's relational database, which the platform provides and announces as `DATABASE_URL`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `[database]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    pub engine: DatabaseEngine,
}

/// What a database runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DatabaseEngine {
    Sqlite,
}

impl DatabaseEngine {
    pub(crate) const ALL: [DatabaseEngine; 1] = [DatabaseEngine::Sqlite];
}

impl fmt::Display for DatabaseEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseEngine::Sqlite => f.write_str("sqlite"),
        }
    }
}
