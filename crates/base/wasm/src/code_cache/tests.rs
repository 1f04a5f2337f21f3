use super::*;

/// The smallest component there is.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// A folder of its own per test, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("ringway-code-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        Self(dir)
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).expect("folder is there");
        entries.map(|entry| entry.expect("entry is readable").path()).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(engine: &wasmtime::Engine) -> Key {
    Key::of(engine, EMPTY).expect("memory is readable")
}

fn compiled(scratch: &Scratch) -> (CodeCache, wasmtime::Engine) {
    let engine = wasmtime::Engine::default();
    let cache = CodeCache::open(&scratch.0).expect("cache opens");
    assert!(cache.find(&engine, &key(&engine)).is_none());
    let code = engine.precompile_component(EMPTY).expect("component compiles");
    cache.keep(&engine, &key(&engine), &code).expect("code loads");
    (cache, engine)
}

#[test]
fn compiled_code_is_found_again_in_a_private_folder() {
    let scratch = Scratch::new("again");
    let (cache, engine) = compiled(&scratch);
    assert!(cache.find(&engine, &key(&engine)).is_some());
    assert_eq!(scratch.files().len(), 1);
    let mode = fs::metadata(&scratch.0).expect("folder is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn one_flipped_bit_is_noticed() {
    let scratch = Scratch::new("flipped");
    let (cache, engine) = compiled(&scratch);
    let file = &scratch.files()[0];
    let mut content = fs::read(file).expect("file is readable");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(file, content).expect("file is writable");
    assert!(cache.find(&engine, &key(&engine)).is_none());
    assert!(scratch.files().is_empty());
}

#[test]
fn a_torn_file_is_noticed() {
    let scratch = Scratch::new("torn");
    let (cache, engine) = compiled(&scratch);
    fs::write(&scratch.files()[0], b"half").expect("file is writable");
    assert!(cache.find(&engine, &key(&engine)).is_none());
}

#[test]
fn code_for_other_settings_is_not_taken() {
    let scratch = Scratch::new("settings");
    let (cache, _) = compiled(&scratch);
    let metered = wasmtime::Engine::new(wasmtime::Config::new().consume_fuel(true)).expect("engine builds");
    assert!(cache.find(&metered, &key(&metered)).is_none());
}

#[test]
fn the_oldest_files_go() {
    let scratch = Scratch::new("oldest");
    let (cache, engine) = compiled(&scratch);
    for number in 0..FILES_MAX {
        let path = scratch.0.join(format!("{number}.cwasm"));
        let file = File::create(path).expect("file is creatable");
        file.set_modified(SystemTime::UNIX_EPOCH).expect("time can be set");
    }
    cache.trim();
    assert_eq!(scratch.files().len(), FILES_MAX);
    assert!(cache.find(&engine, &key(&engine)).is_some());
}
