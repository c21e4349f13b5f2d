//! One sender, one receiver: commands on their way into the scan, in order, bounded.
//!
//! **Guarantees** that both ends are wait-free, and that what does not fit is refused at once, handed back and counted.
//! Several clients each have a queue of their own; a queue is never shared. The scan fetches a bounded number per scan,
//! so a flood of commands costs it a fixed time. **When the sender is lost** the queue runs empty and stays so.
//!
//! A command is `Copy`: nothing is freed, and no lock of an allocator is taken, when the scan has done with it.
//!
//! Built on `heapless::spsc`, whose halves borrow the queue. The queue is therefore leaked, once, when the site starts:
//! it lives as long as the process, and nothing that comes or goes at run time may make one.

use heapless::spsc::{Consumer, Producer, Queue};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A queue for `SLOTS - 1` commands (one slot tells full from empty).
///
/// Call it at start only: the queue is never given back. With fewer than 2 slots it holds nothing: refused at build.
#[must_use]
pub fn queue<T: Copy + Send + 'static, const SLOTS: usize>() -> (Sender<T>, Receiver<T>) {
    const { assert!(SLOTS >= 2, "a queue of fewer than two slots holds nothing") };
    let (producer, consumer) = Box::leak(Box::new(Queue::<T, SLOTS>::new())).split();
    let dropped = Arc::new(AtomicU64::new(0));
    (Sender { producer, dropped: Arc::clone(&dropped) }, Receiver { consumer, dropped })
}

/// The queue was full; the command was not taken and is handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{capacity} commands are waiting already: send again after the next scan, or send less often")]
pub struct Full<T> {
    /// What was refused.
    pub command: T,
    /// How many commands the queue holds.
    pub capacity: usize,
}

/// The client's end.
pub struct Sender<T: 'static> {
    producer: Producer<'static, T>,
    dropped: Arc<AtomicU64>,
}

impl<T: Copy + Send> Sender<T> {
    /// Queues `command` for the next scan.
    ///
    /// # Errors
    /// [`Full`] when the scan has not fetched the earlier ones; it counts as dropped.
    pub fn send(&mut self, command: T) -> Result<(), Full<T>> {
        self.producer.enqueue(command).map_err(|command| {
            // The sender is the only one that counts, so a load and a store lose nothing.
            self.dropped.store(self.dropped.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
            Full { command, capacity: self.producer.capacity() }
        })
    }

    /// Queues all of these, in their order, or none: there is room for all, or nothing was taken.
    ///
    /// # Errors
    /// [`Full`] with the first of them; all count as dropped.
    pub fn send_all(&mut self, commands: &[T]) -> Result<(), Full<T>> {
        // only the receiver changes the room from outside, and it makes more of it
        let room = self.producer.capacity() - self.producer.len();
        if let Some(first) = commands.first().filter(|_| commands.len() > room) {
            let refused = u64::try_from(commands.len()).unwrap_or(u64::MAX);
            self.dropped.store(self.dropped.load(Ordering::Relaxed).saturating_add(refused), Ordering::Relaxed);
            return Err(Full { command: *first, capacity: self.producer.capacity() });
        }
        commands.iter().try_for_each(|command| self.send(*command))
    }

    /// How many commands the queue holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.producer.capacity()
    }
}

/// The scan's end.
pub struct Receiver<T: 'static> {
    consumer: Consumer<'static, T>,
    dropped: Arc<AtomicU64>,
}

impl<T: Copy + Send> Receiver<T> {
    /// The oldest command, if there is one.
    pub fn receive(&mut self) -> Option<T> {
        self.consumer.dequeue()
    }

    /// The oldest commands, `at_most` of them: what one scan takes. What comes in meanwhile counts too.
    pub fn receive_some(&mut self, at_most: usize) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.consumer.dequeue()).take(at_most)
    }

    /// How many commands were refused since the start because the queue was full. An input of the scan: it is recorded.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_taken_whole_or_not_at_all() {
        let (mut sender, mut receiver) = queue::<u32, 5>();
        sender.send_all(&[1, 2, 3]).unwrap();
        assert_eq!(sender.send_all(&[4, 5]).unwrap_err().command, 4);
        assert_eq!(receiver.dropped(), 2);
        sender.send_all(&[6]).unwrap();
        assert_eq!(receiver.receive_some(10).collect::<Vec<_>>(), [1, 2, 3, 6]);
        sender.send_all(&[7, 8, 9, 10]).unwrap();
    }

    #[test]
    fn commands_arrive_in_order() {
        let (mut sender, mut receiver) = queue::<u32, 8>();
        for command in 0..5 {
            sender.send(command).unwrap();
        }
        assert_eq!(receiver.receive(), Some(0));
        assert_eq!(receiver.receive_some(10).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(receiver.receive(), None);
    }

    #[test]
    fn a_full_queue_hands_the_command_back_and_counts_it() {
        let (mut sender, mut receiver) = queue::<u32, 3>();
        assert_eq!(sender.capacity(), 2);
        assert_eq!((sender.send(1), sender.send(2)), (Ok(()), Ok(())));
        assert_eq!(sender.send(3), Err(Full { command: 3, capacity: 2 }));
        assert_eq!(sender.send(4), Err(Full { command: 4, capacity: 2 }));
        assert_eq!(receiver.dropped(), 2);
        assert_eq!(receiver.receive(), Some(1));
        assert_eq!(sender.send(5), Ok(()));
        assert_eq!(receiver.receive_some(9).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(receiver.dropped(), 2);
    }

    #[test]
    fn a_scan_takes_no_more_than_its_share() {
        let (mut sender, mut receiver) = queue::<u32, 16>();
        for command in 0..15 {
            sender.send(command).unwrap();
        }
        assert_eq!(receiver.receive_some(4).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(receiver.receive_some(4).collect::<Vec<_>>(), [4, 5, 6, 7]);
        assert_eq!(receiver.receive_some(0).count(), 0);
        assert_eq!(receiver.receive(), Some(8));
    }

    #[test]
    fn nothing_is_lost_or_doubled_between_two_threads() {
        const COMMANDS: u64 = 20_000;
        let (mut sender, mut receiver) = queue::<u64, 8>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for command in 0..COMMANDS {
                    while sender.send(command).is_err() {
                        std::thread::yield_now();
                    }
                }
            });
            let mut next = 0;
            while next < COMMANDS {
                for command in receiver.receive_some(3) {
                    assert_eq!(command, next);
                    next += 1;
                }
            }
        });
    }
}
