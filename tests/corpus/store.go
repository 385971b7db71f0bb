// Package store keeps things.
package store

import (
	"errors"
	"sync"
)

// ErrGone is what a lost key gives.
var ErrGone = errors.New("gone")

// Store maps keys to values.
//
// It may be used by many goroutines.
type Store struct { // [Store
	mu     sync.Mutex
	values map[string]string
} // Store]

// Reader reads.
type Reader interface { // [Reader
	Get(key string) (string, error)
} // Reader]

// Open makes an empty store.
func Open() *Store { // [Open
	return &Store{values: map[string]string{}}
} // Open]

// Get gives the value of a key.
func (s *Store) Get(key string) (string, error) { // [Store.Get
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, ok := s.values[key]; ok {
		return value, nil
	}
	return "", ErrGone
} // Store.Get]

// Each walks over all pairs until told to stop.
func (s *Store) Each(visit func(key, value string) bool) int { // [Store.Each
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := 0
	for key, value := range s.values {
		seen++
		switch {
		case key == "":
			panic("an empty key can never have been put into the store")
		case !visit(key, value):
			return seen
		}
	}
	go func() {
		println("a goroutine that says how many pairs were seen", seen)
	}()
	return seen
} // Store.Each]

func Map[T, U any](items []T, f func(T) U) []U { // [Map
	var out []U
	for _, item := range items {
		out = append(out, f(item))
	}
	return out
} // Map]
