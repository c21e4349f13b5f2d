//! A TCP forwarder that can be shut: then all its connections are cut and new ones are dropped.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

pub(crate) struct Gate {
    pub(crate) port: u16,
    open: Arc<AtomicBool>,
    through: Arc<Mutex<Vec<TcpStream>>>,
}

impl Gate {
    /// Forwards from a free port to `to`; shut at first unless `open`.
    pub(crate) fn new(to: u16, open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let open = Arc::new(AtomicBool::new(open));
        let through: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (may, streams) = (Arc::clone(&open), Arc::clone(&through));
        spawn(move || {
            for inner in listener.incoming().flatten() {
                // taken while it is locked, so that `shut` misses none
                let mut streams = streams.lock().expect("nobody panics with it");
                if !may.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(outer) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                for (from, to) in [(&inner, &outer), (&outer, &inner)] {
                    let both = (from.try_clone(), to.try_clone());
                    let (Ok(from), Ok(to)) = both else { continue };
                    spawn(move || forward(from, to));
                }
                streams.extend([inner, outer]);
            }
        });
        Self { port, open, through }
    }

    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// As if the cable were cut: nobody says goodbye to anybody.
    pub(crate) fn shut(&self) {
        self.open.store(false, Ordering::SeqCst);
        for stream in self.through.lock().expect("nobody panics with it").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(got @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..got]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
