using System;
using System.Collections.Generic;

namespace Shop.Mail
{
    /// <summary>
    /// Sends letters.
    /// </summary>
    /// <remarks>Slowly.</remarks>
    [Serializable] // [Shop.Mail.Mailer
    public sealed class Mailer : IDisposable {
        private readonly Queue<string> letters = new();

        public int Count { get { return letters.Count; } }

        public Mailer(string host) { // [Shop.Mail.Mailer.Mailer
            Host = host;
        } // Shop.Mail.Mailer.Mailer]

        // Puts a letter into the queue.
        [Obsolete("use Post")] // [Shop.Mail.Mailer.Send
        public void Send(string letter) {
            letters.Enqueue(letter);
        } // Shop.Mail.Mailer.Send]

        /// <summary>Sends all that waits.</summary>
        public async Task<int> FlushAsync(int most) { // [Shop.Mail.Mailer.FlushAsync
            var sent = 0;
            while (letters.Count > 0 && sent < most) {
                var letter = letters.Dequeue();
                if (string.IsNullOrWhiteSpace(letter)) {
                    Console.WriteLine("an empty letter is dropped, nobody would read it anyway");
                    continue;
                }
                await Task.Delay(10);
                sent++;
            }
            Console.WriteLine($"{sent} letters left the house today, and the rest waits");
            return sent;
        } // Shop.Mail.Mailer.FlushAsync]

        public void Dispose() => letters.Clear();
    } // Shop.Mail.Mailer]

    public interface IPost { // [Shop.Mail.IPost
        void Post(string letter);
    } // Shop.Mail.IPost]

    public record Stamp(decimal Price);
}
