//! `ringway ca`: the certificate of a node's local authority, and how to trust it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ringway_node::LOCAL_AUTHORITY_FILE;

use crate::cli::{CaArgs, TargetArgs};
use crate::find_node::find_data_dir;
use crate::output::{self, say};

pub fn run(target: &TargetArgs, arguments: &CaArgs) -> Result<()> {
    let file = find_data_dir(target)?.join(LOCAL_AUTHORITY_FILE);
    let pem = fs::read_to_string(&file).with_context(|| {
        format!(
            "there is no {}: a node makes it when it first serves HTTPS without certificates of its own",
            file.display()
        )
    })?;
    if !pem.contains("BEGIN CERTIFICATE") {
        bail!("{} is no certificate: delete it and ca.key beside it, and restart the node", file.display());
    }
    // Relative ones are of no use to who copies a line into another shell.
    let file = file.canonicalize()?;
    if target.json {
        return output::print_json(&serde_json::json!({ "file": file, "pem": pem }));
    }
    if arguments.pem {
        say!("{}", pem.trim_end());
        return Ok(());
    }
    print(&file);
    Ok(())
}

fn print(file: &Path) {
    let file = file.display();
    say!("{file}");
    say!("");
    say!(
        "The local CA of this node. It signs for localhost, *.localhost and those names of your apps that mean nothing on the"
    );
    say!(
        "internet (.test, .example, .local, .internal, .home.arpa), and binds itself to these: to trust it gives away no other site."
    );
    say!("");
    say!("To trust it:");
    let ways = [
        ("curl", format!("curl --cacert {file} https://shop.localhost:8443/")),
        (
            "Debian, Ubuntu",
            format!("sudo cp {file} /usr/local/share/ca-certificates/ringway.crt && sudo update-ca-certificates"),
        ),
        (
            "Fedora, RHEL",
            format!("sudo cp {file} /etc/pki/ca-trust/source/anchors/ringway.pem && sudo update-ca-trust"),
        ),
        ("Arch", format!("sudo trust anchor {file}")),
        (
            "macOS",
            format!("sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {file}"),
        ),
        ("Windows", "certutil -user -addstore Root ca.pem".to_owned()),
        ("Chrome on Linux", format!("certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n ringway -i {file}")),
        ("Firefox", "Settings, Privacy & Security, View Certificates, Authorities, Import".to_owned()),
        ("Node.js", format!("NODE_EXTRA_CA_CERTS={file}")),
        ("Python", format!("SSL_CERT_FILE={file} (requests: REQUESTS_CA_BUNDLE)")),
    ];
    let rows = ways.into_iter().map(|(who, how)| vec![format!("  {who}"), how]);
    for row in rows {
        say!("{:18}{}", row[0], row[1]);
    }
    say!("");
    say!("Its key, ca.key beside it, stays where it is. `ringway ca --pem` prints the certificate alone.");
}
