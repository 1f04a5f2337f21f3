//! Driver: one client of the upstream. Requests are answered in order; what the socket does not take waits.

use std::io::{self, IoSlice, Read as _, Write as _};

use mio::net::TcpStream;

use super::{
    answers::{Answer, Answers},
    request::{self, Unreadable},
};

pub struct Connection {
    stream: TcpStream,
    /// What was read and not answered yet.
    unread: Vec<u8>,
    /// Bytes of the body of the last request that are still to come.
    body_left: u64,
    /// Of the answer to the first request in `unread`, so many bytes are sent.
    sent: usize,
}

enum Step {
    /// A whole request was answered, the next may begin.
    Answered,
    /// The rest of it has not come yet.
    Incomplete,
    /// The socket takes no more.
    Full,
    Close,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new(), body_left: 0, sent: 0 }
    }

    /// Does what can be done now; false: the connection has ended. Readiness is told once, so all is read, or all is written.
    pub fn serve(&mut self, buffer: &mut [u8], answers: &Answers) -> io::Result<bool> {
        loop {
            match self.answer_all(answers)? {
                Step::Full => return Ok(true),
                Step::Close => return Ok(false),
                Step::Answered | Step::Incomplete => {}
            }
            let read = match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.unread.extend_from_slice(&buffer[..read]);
        }
    }

    fn answer_all(&mut self, answers: &Answers) -> io::Result<Step> {
        let mut at = 0;
        let step = loop {
            let skipped = (self.unread.len() - at).min(usize::try_from(self.body_left).unwrap_or(usize::MAX));
            self.body_left -= skipped as u64;
            at += skipped;
            match self.answer_first(at, answers)? {
                (Step::Answered, len) => at += len,
                (step, _) => break step,
            }
        };
        self.unread.drain(..at);
        Ok(step)
    }

    /// Answers the request that begins there; how long its head was.
    fn answer_first(&mut self, at: usize, answers: &Answers) -> io::Result<(Step, usize)> {
        let request = match request::first(&self.unread[at..]) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok((Step::Incomplete, 0)),
            Err(Unreadable) => return Ok((Step::Close, 0)),
        };
        if !send(&mut self.stream, answers.to(&request), &mut self.sent)? {
            return Ok((Step::Full, 0));
        }
        (self.sent, self.body_left) = (0, request.body_len);
        let step = if request.keep_alive { Step::Answered } else { Step::Close };
        Ok((step, request.head_len))
    }
}

/// Whether all of it is sent.
fn send(stream: &mut TcpStream, answer: Answer<'_>, sent: &mut usize) -> io::Result<bool> {
    let len = answer.head.len() + answer.body.len();
    while *sent < len {
        let head = &answer.head[(*sent).min(answer.head.len())..];
        let body = &answer.body[sent.saturating_sub(answer.head.len())..];
        match stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
            Ok(written) => *sent += written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
