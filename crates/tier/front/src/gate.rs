//! Driver: holds back what follows a request for an upgrade until it is known which protocol it is in.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

const WAITING: u8 = 0;
const REFUSED: u8 = 1;
const AGREED: u8 = 2;

/// One a connection: no more than one upgrade can be asked for at a time, as nothing is read behind it.
#[derive(Debug, Default)]
pub struct Gate {
    state: AtomicU8,
    waker: AtomicWaker,
}

impl Gate {
    /// A request for an upgrade goes through to the service.
    pub fn close(&self) {
        self.state.store(WAITING, Ordering::Release);
    }

    /// It was answered.
    pub fn open(&self, agreed: bool) {
        self.state.store(if agreed { AGREED } else { REFUSED }, Ordering::Release);
        self.waker.wake();
    }

    /// Whether the upgrade was agreed on, once that is known.
    pub fn poll_opened(&self, cx: &Context<'_>) -> Poll<bool> {
        self.waker.register(cx.waker());
        match self.state.load(Ordering::Acquire) {
            WAITING => Poll::Pending,
            state => Poll::Ready(state == AGREED),
        }
    }
}
