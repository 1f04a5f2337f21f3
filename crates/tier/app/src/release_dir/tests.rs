use super::*;

struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("ringway-release-{:016x}", ringway_rt::random::number()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// Writes the name as it is: the builder itself would refuse the bad ones.
    fn header(name: &str, kind: EntryType, mode: u32, len: usize) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(len as u64);
        header
    }

    fn file(mut self, name: &str, text: &str, mode: u32) -> Self {
        let mut header = Self::header(name, EntryType::Regular, mode, text.len());
        header.set_cksum();
        self.0.append(&header, text.as_bytes()).unwrap();
        self
    }

    fn link(mut self, name: &str, target: &str, kind: EntryType) -> Self {
        let mut header = Self::header(name, kind, 0o777, 0);
        header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.0.append(&header, io::empty()).unwrap();
        self
    }

    fn packed(self) -> Vec<u8> {
        zstd::encode_all(&self.0.into_inner().unwrap()[..], 1).unwrap()
    }
}

fn refused(archive: Archive) -> String {
    let dir = TempDir::new();
    let outside = fs::read_dir(dir.0.parent().unwrap()).unwrap().count();
    match unpack(&archive.packed()[..], &dir.0) {
        Err(ReleaseError::Archive(why)) => {
            assert!(fs::read_dir(dir.0.parent().unwrap()).unwrap().count() <= outside + 20);
            why
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_keep_their_text_and_whether_they_can_be_run_but_no_special_bits() {
    let dir = TempDir::new();
    let archive = Archive::new()
        .file("./cgi-bin/hello", "#!/bin/sh", 0o4755)
        .file("page.html", "hi", 0o600)
        .link("index.html", "page.html", EntryType::Symlink)
        .link("cgi-bin/up", "../page.html", EntryType::Symlink);
    unpack(&archive.packed()[..], &dir.0).unwrap();
    let mode = |name: &str| fs::metadata(dir.0.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("cgi-bin/hello"), mode("page.html")), (0o755, 0o644));
    assert_eq!(fs::read_to_string(dir.0.join("index.html")).unwrap(), "hi");
    assert_eq!(fs::read_to_string(dir.0.join("cgi-bin/up")).unwrap(), "hi");
}

#[test]
fn names_that_lead_out_are_refused() {
    assert_eq!(refused(Archive::new().file("../evil", "x", 0o644)), "../evil leads out of it");
    assert_eq!(refused(Archive::new().file("/etc/evil", "x", 0o644)), "/etc/evil leads out of it");
    assert_eq!(refused(Archive::new().file("a/../../evil", "x", 0o644)), "a/../../evil leads out of it");
}

#[test]
fn links_that_lead_out_are_refused_however_they_do_it() {
    let link = |name, target| Archive::new().link(name, target, EntryType::Symlink);
    assert!(refused(link("etc", "/etc")).contains("leads to /etc"));
    assert!(refused(link("up", "../..")).contains("leads to ../.."));
    assert!(refused(link("nowhere", "missing")).contains("leads to missing"));
    // Harmless to look at: `s` is the root itself, and `s/..` outside.
    let twisted = link("a/b/s", "../..").link("a/b/t", "s/..", EntryType::Symlink);
    assert!(refused(twisted).contains("the link t"));
    // Links that were made before files could redirect those.
    let dir = TempDir::new();
    let through = link("d", "/tmp").file("d/ringway-evil", "x", 0o644).packed();
    assert!(unpack(&through[..], &dir.0).is_err());
    assert!(!Path::new("/tmp/ringway-evil").exists());
}

#[test]
fn other_kinds_of_entries_and_broken_archives_are_refused() {
    assert!(refused(Archive::new().link("hard", "/etc/passwd", EntryType::Link)).contains("is of the kind Link"));
    assert!(refused(Archive::new().link("fifo", "", EntryType::Fifo)).contains("is of the kind Fifo"));
    let dir = TempDir::new();
    assert!(matches!(unpack(&b"garbage"[..], &dir.0), Err(ReleaseError::Io(_))));
    let packed = Archive::new().file("a", &"text".repeat(1000), 0o644).packed();
    assert!(matches!(unpack(&packed[..packed.len() - 10], &dir.0), Err(ReleaseError::Io(_))));
}
