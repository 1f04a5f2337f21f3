use super::*;

fn tar(files: &[(&str, u32, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(*mode);
        // Written straight into the header: the builder itself refuses paths that lead out.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }
    zstd::encode_all(&builder.into_inner().unwrap()[..], 1).unwrap()
}

fn examine(files: &[(&str, u32, &str)]) -> Result<Examined, Faults> {
    Package::read(&tar(files)[..]).unwrap().examine("my-app")
}

#[test]
fn a_directory_without_a_manifest_is_named_after_itself() {
    let examined = examine(&[("./public/index.html", 0o644, "hi")]).unwrap();
    assert_eq!(examined.manifest.name, "my-app");
    assert_eq!(examined.manifest.routes.len(), 1);
}

#[test]
fn the_manifest_in_the_tar_goes_before_guessing() {
    let manifest = "name = \"shop\"\n[[route]]\npath = \"/\"\nto = \"static:www\"\n";
    let examined = examine(&[("ringway.toml", 0o644, manifest), ("www/index.html", 0o644, "hi")]).unwrap();
    assert_eq!(examined.manifest.name, "shop");
}

#[test]
fn files_that_the_manifest_names_and_the_tar_has_not_are_faults_with_a_line() {
    let manifest = "name = \"shop\"\n[[route]]\npath = \"/\"\nto = \"static:www\"\n";
    let faults = examine(&[("ringway.toml", 0o644, manifest), ("index.html", 0o644, "hi")]).unwrap_err();
    assert_eq!((faults.0.len(), faults.0[0].line), (1, 4));
}

#[test]
fn a_script_that_is_not_executable_is_told() {
    let files = |mode| {
        [("ringway.toml", 0o644, "name = \"a\"\n[function.f]\ncgi = \"run.sh\"\n"), ("run.sh", mode, "#!/bin/sh")]
    };
    assert!(examine(&files(0o755)).is_ok());
    assert!(examine(&files(0o644)).unwrap_err().to_string().contains("chmod +x"));
}

#[test]
fn a_path_that_leads_out_is_refused() {
    for path in ["../evil", "/etc/passwd", "a/../../evil"] {
        let error = Package::read(&tar(&[(path, 0o644, "x")])[..]).unwrap_err();
        assert!(matches!(error, PackageError::Outside(_)), "{path}: {error}");
    }
}

#[test]
fn a_file_name_that_is_not_utf8_is_told_as_that() {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"public/caf\xe9.html");
    let error = inside(Path::new(name)).unwrap_err();
    assert_eq!(error.to_string(), "the file name `public/caf\u{fffd}.html` is not UTF-8: rename the file");
}

#[test]
fn what_is_no_tar_is_told_so() {
    assert!(matches!(Package::read(&b"PK\x03\x04 a zip"[..]), Err(PackageError::NotATar(_))));
    let torn = &tar(&[("public/index.html", 0o644, &"x".repeat(4096))]);
    assert!(Package::read(&torn[..torn.len() / 2]).is_err());
}
