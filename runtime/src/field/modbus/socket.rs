//! A TCP connection on which nothing blocks: connecting, sending and receiving are begun, and go on when there is room.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, setsockopt, socket, sockopt};
use nix::sys::time::TimeSpec;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};

/// One connection, standing or being made.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    connecting: bool,
    unsent: Vec<u8>,
}

impl Socket {
    /// Begins to connect. Keep-alive finds a peer that vanished while nothing was asked; requests find it sooner.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let fd = socket(family, SockType::Stream, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&fd, sockopt::TcpNoDelay, &true)?;
        setsockopt(&fd, sockopt::KeepAlive, &true)?;
        // a connection that is given up takes along what it had not delivered: an old set-point must not arrive later
        setsockopt(&fd, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 })?;
        setsockopt(&fd, sockopt::TcpKeepIdle, &10)?;
        setsockopt(&fd, sockopt::TcpKeepInterval, &3)?;
        setsockopt(&fd, sockopt::TcpKeepCount, &3)?;
        match connect(fd.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { stream: TcpStream::from(fd), connecting: true, unsent: Vec::new() })
    }

    /// Sends as much as there is room for; the rest goes when there is. A request that is never sent times out, and the
    /// third in a row ends the connection, so that no more than three wait here.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(bytes);
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until something can be done with it, or `timeout` is over. Whether something can.
    pub(super) fn wait(&self, timeout: TimeSpec) -> bool {
        let events = match (self.connecting, self.unsent.is_empty()) {
            (true, _) => PollFlags::POLLOUT,
            (false, true) => PollFlags::POLLIN,
            (false, false) => PollFlags::POLLIN | PollFlags::POLLOUT,
        };
        let mut fds = [PollFd::new(self.stream.as_fd(), events)];
        ppoll(&mut fds, Some(timeout), None).is_ok_and(|count| count > 0)
    }

    /// Whether it is still being made.
    pub(super) fn is_connecting(&self) -> bool {
        self.connecting
    }

    /// How connecting ended, once [`Socket::wait`] says that it did.
    pub(super) fn finish_connecting(&mut self) -> io::Result<()> {
        match self.stream.take_error()? {
            Some(error) => return Err(error),
            None => drop(self.stream.peer_addr()?),
        }
        self.connecting = false;
        Ok(())
    }

    /// Sends what is left to be sent, and takes what has come; 0 bytes if nothing has.
    pub(super) fn exchange(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.send(&[])?;
        match self.stream.read(bytes) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the peer")),
            Ok(count) => Ok(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(error) => Err(error),
        }
    }
}
