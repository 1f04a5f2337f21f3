//! What a node says when it is ready.

use ringway_catalog::Addresses;

use crate::AdminFile;

/// A node that serves.
#[derive(Clone)]
pub struct Ready {
    pub name: String,
    pub version: &'static str,
    pub cluster_id: String,
    pub addresses: Addresses,
    /// What keeps apps apart on this machine, in words.
    pub isolation: &'static str,
    pub admin: AdminFile,
}

impl Ready {
    pub fn admin_file(&self) -> &AdminFile {
        &self.admin
    }

    /// A few lines for a person: where everything is.
    pub fn banner(&self) -> String {
        let mut text = format!("ringway {} node {} in cluster {}\n", self.version, self.name, self.cluster_id);
        let mut line = |what: &str, address: Option<String>| {
            text += &format!("  {what:8} {}\n", address.unwrap_or_else(|| "off".to_owned()))
        };
        line("http", self.addresses.http.map(|address| format!("http://{address}")));
        line("https", self.addresses.https.map(|address| format!("https://{address}")));
        line("redis", self.addresses.redis.map(|address| format!("redis://{address}")));
        line("console", Some(format!("http://{} (`ringway open`)", self.addresses.admin)));
        line("peers", Some(self.addresses.peer.to_string()));
        line("apps", Some(self.isolation.to_owned()));
        text.trim_end().to_owned()
    }
}
