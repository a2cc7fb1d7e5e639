"""A small project in each language that is read by tags queries, and what a cursor in it must be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A document with a cursor, and heads of other files that help there."""

    drawn: str
    heads: tuple[str, ...]


@dataclass(frozen=True)
class Project:
    """Files by their paths, and the path and the language of the document in which the places are.

    ``changed``: a file, a word of a head in it, and another for it.
    """

    language_id: str
    document: str
    files: Mapping[str, str]
    places: Mapping[str, Place]
    changed: tuple[str, str, str]

    @property
    def place(self) -> Place:
        """The place that is told the head that changes."""
        return next(one for one in self.places.values() if any(self.changed[1] in head for head in one.heads))


TYPESCRIPT = Project(
    "typescript",
    "src/main.ts",
    {
        "src/item.ts": """\
export interface Item {
  name: string;
  price: number;
}
export enum Color { Red = 'red', Green = 'green' }
export type Options = { verbose: boolean; depth?: number };
""",
        "src/store.ts": """\
import { Item } from './item';

/** Keeps items on the disk. */
export class Store {
  private cache: Map<string, Item>;
  constructor(readonly path: string, limit: number) {
    this.cache = SECRET_BODY;
  }
  get(key: string): Item | undefined {
    return SECRET_BODY;
  }
  async putAll(items: Item[], overwrite: boolean): Promise<number> {
    return SECRET_BODY;
  }
}

/** Opens a store. */
export async function openStore(path: string, create = true): Promise<Store> {
  return SECRET_BODY;
}

export const fetchItems = async (url: string, retries: number): Promise<Item[]> => {
  return SECRET_BODY;
};
""",
        "src/index.ts": """\
export * from './store';
export { Item as Thing } from './item';
""",
        "src/base.ts": """\
export abstract class Base {
  abstract run(name: string): void;
  log(line: string): void {}
}
""",
        "src/main.ts": "",
    },
    {
        "arguments of a function": Place(
            """\
import { openStore } from './store';

async function main() {
  const store = await openStore(‸
}
""",
            ("export async function openStore(path: string, create = true): Promise<Store>",),
        ),
        "members of a constructed instance": Place(
            """\
import { Store } from './store';

function main() {
  const store = new Store('a', 1);
  store.‸
}
""",
            (
                "get(key: string): Item | undefined;",
                "async putAll(items: Item[], overwrite: boolean): Promise<number>;",
            ),
        ),
        "a constructor": Place(
            """\
import { Store } from './store';

const store = new Store(‸""",
            ("constructor(readonly path: string, limit: number);",),
        ),
        "members by annotation": Place(
            """\
import type { Item } from './item';

function show(item: Item) {
  return item.‸
}
""",
            (
                "export interface Item {",
                "name: string;",
                "price: number;",
            ),
        ),
        "what a function returns": Place(
            """\
import { openStore } from './index';

async function main() {
  const store = await openStore('a');
  store.putAll(‸
}
""",
            ("async putAll(items: Item[], overwrite: boolean): Promise<number>;",),
        ),
        "a field of this": Place(
            """\
import { Store } from './store';

class Shop {
  constructor(private store: Store) {}
  sell() {
    this.store.‸
  }
}
""",
            ("get(key: string): Item | undefined;",),
        ),
        "the base of the class around": Place(
            """\
import { Base } from './base';

class Job extends Base {
  run(name: string) {
    this.‸
  }
}
""",
            ("log(line: string): void;",),
        ),
        "a renamed re-export": Place(
            """\
import { Thing } from '.';

function show(thing: Thing) {
  thing.‸
}
""",
            ("price: number;",),
        ),
        "a module": Place(
            """\
import * as stores from './store';

stores.‸""",
            (
                "export class Store",
                "export const fetchItems = async (url: string, retries: number): Promise<Item[]>",
            ),
        ),
        "an enumeration": Place(
            """\
import { Color } from './item';

const color = Color.‸""",
            ("export enum Color { Red = 'red', Green = 'green' }",),
        ),
        "a name that only one file exports": Place(
            """\
function main() {
  const items = fetchItems(‸
}
""",
            ("export const fetchItems = async (url: string, retries: number): Promise<Item[]>",),
        ),
    },
    ("src/store.ts", "openStore(path: string", "openStore(folder: string"),
)

JAVASCRIPT = Project(
    "javascript",
    "lib/main.js",
    {
        "lib/cart.js": """\
/** A cart. */
class Cart {
  constructor(owner, currency) {}
  addItem(name, price, count = 1) {}
}
function totalOf(cart, { discount, taxes }) {
  return SECRET_BODY;
}
module.exports = { Cart, totalOf };
exports.emptyCart = function (owner) {};
""",
        "lib/view.jsx": """\
export default function CartView({ cart, onRemove }) {
  return <div/>;
}
""",
        "lib/main.js": "",
    },
    {
        "a required function": Place(
            """\
const { totalOf } = require('./cart');

const total = totalOf(‸""",
            ("function totalOf(cart, { discount, taxes })",),
        ),
        "members": Place(
            """\
const { Cart } = require('./cart');

const cart = new Cart('me', 'EUR');
cart.addItem(‸""",
            ("addItem(name, price, count = 1);",),
        ),
        "a default export": Place(
            """\
import View from './view';

View(‸""",
            ("export default function CartView({ cart, onRemove })",),
        ),
        "a module": Place(
            """\
const carts = require('./cart');

carts.‸""",
            (
                "class Cart",
                "exports.emptyCart = function (owner)",
            ),
        ),
    },
    ("lib/cart.js", "totalOf(cart,", "totalOf(basket,"),
)

GO = Project(
    "go",
    "cmd/app/main.go",
    {
        "go.mod": "module example.com/shop\n",
        "store/store.go": """\
// Package store keeps items.
package store

// Item is sold.
type Item struct {
\tName  string
\tPrice, Tax int
}

// Store keeps items.
type Store struct {
\tPath string
\tcount int
}

// Open opens the store at path.
func Open(path string, limit int) (*Store, error) {
\treturn SECRET_BODY
}

type Reader interface {
\tRead(key string) (*Item, error)
}

const DefaultLimit = 100
""",
        "store/query.go": """\
package store

// Find returns the items with a prefix.
func (s *Store) Find(prefix string, most int) ([]Item, error) {
\treturn SECRET_BODY
}
""",
        "cmd/app/config.go": """\
package main

type config struct {
\tfolder string
\tverbose bool
}

func readConfig(path string, strict bool) (*config, error) {
\treturn SECRET_BODY
}
""",
        "cmd/app/main.go": "",
    },
    {
        "a function of a package": Place(
            """\
package main

import "example.com/shop/store"

func main() {
\ts, err := store.Open(‸
}
""",
            ("func Open(path string, limit int) (*Store, error)",),
        ),
        "a package": Place(
            """\
package main

import (
\t"fmt"

\tst "example.com/shop/store"
)

func main() {
\tst.‸
}
""",
            (
                "func Open(path string, limit int) (*Store, error)",
                "type Store struct",
                "type Reader interface",
            ),
        ),
        "methods in another file of the package": Place(
            """\
package main

import "example.com/shop/store"

func main() {
\ts, err := store.Open("a", 1)
\ts.Find(‸
}
""",
            ("func (s *Store) Find(prefix string, most int) ([]Item, error)",),
        ),
        "a parameter": Place(
            """\
package main

import "example.com/shop/store"

func show(item *store.Item) {
\titem.‸
}
""",
            (
                "type Item struct {",
                "Name string",
                "Price, Tax int",
            ),
        ),
        "the same package": Place(
            """\
package main

func main() {
\tc, err := readConfig(‸
}
""",
            ("func readConfig(path string, strict bool) (*config, error)",),
        ),
        "a field": Place(
            """\
package main

import "example.com/shop/store"

type app struct {
\tstore *store.Store
}

func (a *app) run() {
\tfound, err := a.store.Find(‸
}
""",
            ("func (s *Store) Find(prefix string, most int) ([]Item, error)",),
        ),
    },
    ("store/store.go", "Open(path string", "Open(folder string"),
)

RUST = Project(
    "rust",
    "src/main.rs",
    {
        "Cargo.toml": """\
[package]
name = "shop"
""",
        "src/store.rs": """\
use crate::item::Item;

/// Keeps items.
#[derive(Debug)]
pub struct Store<'a> {
    pub path: &'a str,
    count: usize,
}

impl<'a> Store<'a> {
    /// Opens a store.
    pub fn open(path: &'a str, limit: usize) -> Result<Store<'a>, Error> {
        SECRET_BODY
    }
    pub fn find(&self, prefix: &str, most: usize) -> Vec<Item> {
        SECRET_BODY
    }
    fn hidden(&self) {}
}

pub fn load_all(paths: &[&str], strict: bool) -> Vec<Item> {
    SECRET_BODY
}
""",
        "src/item.rs": """\
pub struct Item {
    pub name: String,
    pub price: u32,
}

pub enum Color {
    Red,
    Mixed(u8, u8),
}

pub trait Priced {
    fn price_in(&self, currency: &str) -> f64;
}
""",
        "src/main.rs": "",
    },
    {
        "a function of a module": Place(
            """\
mod store;
use store::load_all;

fn main() {
    let items = load_all(‸
}
""",
            ("pub fn load_all(paths: &[&str], strict: bool) -> Vec<Item>",),
        ),
        "an associated function": Place(
            """\
use crate::store::Store;

fn main() {
    let store = Store::open(‸
}
""",
            ("pub fn open(path: &'a str, limit: usize) -> Result<Store<'a>, Error>;",),
        ),
        "methods by construction": Place(
            """\
use crate::store::Store;

fn main() {
    let store = Store::open("a", 1).unwrap();
    store.find(‸
}
""",
            ("pub fn find(&self, prefix: &str, most: usize) -> Vec<Item>;",),
        ),
        "fields by annotation": Place(
            """\
use crate::item::{Color, Item};

fn show(item: &Item) {
    item.‸
}
""",
            (
                "pub struct Item {",
                "pub name: String,",
                "pub price: u32,",
            ),
        ),
        "a path": Place(
            """\
fn main() {
    crate::store::load_all(‸
}
""",
            ("pub fn load_all(paths: &[&str], strict: bool)",),
        ),
        "an enumeration": Place(
            """\
use crate::item::Color;

fn main() {
    let color = Color::‸
}
""",
            ("pub enum Color { Red, Mixed(u8, u8) }",),
        ),
        "the trait that is implemented": Place(
            """\
use crate::item::Priced;

struct Book;

impl Priced for Book {
    ‸
}
""",
            ("fn price_in(&self, currency: &str) -> f64;",),
        ),
    },
    ("src/store.rs", "load_all(paths", "load_all(folders"),
)

JAVA = Project(
    "java",
    "src/com/shop/app/Main.java",
    {
        "src/com/shop/store/Store.java": """\
package com.shop.store;

import com.shop.model.Item;

/** Keeps items. */
public class Store implements AutoCloseable {
    private int count;
    public static final int LIMIT = 10;

    public Store(String path, int limit) {
        SECRET_BODY;
    }

    @Override
    public void close() {}

    /** Finds. */
    public List<Item> find(String prefix, int most) throws IOException {
        return SECRET_BODY;
    }
}
""",
        "src/com/shop/model/Item.java": """\
package com.shop.model;

public record Item(String name, int price) {}
""",
        "src/com/shop/app/Printer.java": """\
package com.shop.app;

class Printer {
    static void print(String text, boolean bold) {}
}
""",
        "src/com/shop/app/Main.java": "",
    },
    {
        "a method": Place(
            """\
package com.shop.app;

import com.shop.store.Store;

class Main {
    void run(Store store) {
        store.find(‸
    }
}
""",
            ("public List<Item> find(String prefix, int most) throws IOException;",),
        ),
        "a constructor": Place(
            """\
package com.shop.app;

import com.shop.store.*;

class Main {
    void run() {
        Store store = new Store(‸
    }
}
""",
            ("public Store(String path, int limit);",),
        ),
        "the same package": Place(
            """\
package com.shop.app;

class Main {
    void run() {
        Printer.print(‸
    }
}
""",
            ("static void print(String text, boolean bold);",),
        ),
        "a record": Place(
            """\
package com.shop.app;

import com.shop.model.Item;

class Main {
    void run() {
        var item = new Item(‸
    }
}
""",
            ("public record Item(String name, int price)",),
        ),
        "a field": Place(
            """\
package com.shop.app;

import com.shop.store.Store;

class Main {
    private final Store store;

    void run() {
        var found = this.store.‸
    }
}
""",
            (
                "public List<Item> find(String prefix, int most) throws IOException;",
                "public static final int LIMIT = 10;",
            ),
        ),
    },
    ("src/com/shop/store/Store.java", "find(String prefix", "find(String beginning"),
)

C = Project(
    "c",
    "src/main.c",
    {
        "include/store.h": """\
#ifndef STORE_H
#define STORE_H
#include "item.h"

#define STORE_LIMIT 100

struct store {
    char *path;
    int count;
};

/* Opens the store at path, or returns NULL. */
struct store *store_open(const char *path, int limit);
int store_find(struct store *store, const char *prefix, struct item *found);
#endif
""",
        "include/item.h": """\
typedef struct {
    char name[32];
    int price;
} item_t;

enum color { RED, GREEN = 2 };
typedef int (*visit_fn)(item_t *item, void *data);
""",
        "src/store.c": """\
#include "store.h"

struct store *store_open(const char *where, int most) {
    SECRET_BODY;
}
static int hidden_helper(int a) { return a; }
""",
        "src/main.c": "",
    },
    {
        "a function of a header": Place(
            """\
#include "store.h"

int main(void) {
    struct store *s = store_open(‸
}
""",
            ("struct store *store_open(const char *path, int limit);",),
        ),
        "members of a structure": Place(
            """\
#include "store.h"

int main(void) {
    struct store *s = store_open("a", 1);
    s->‸
}
""",
            (
                "struct store {",
                "char *path;",
                "int count;",
            ),
        ),
        "an included type": Place(
            """\
#include "item.h"

void show(item_t *item) {
    item->‸
}
""",
            (
                "char name[32];",
                "int price;",
            ),
        ),
        "a header that a header includes": Place(
            """\
#include "store.h"

int count(visit_fn visit) {
    enum color c = RED;
    visit(‸
}
""",
            ("typedef int (*visit_fn)(item_t *item, void *data);",),
        ),
    },
    ("include/store.h", "store_open(const char *path", "store_open(const char *folder"),
)

CPP = Project(
    "cpp",
    "src/main.cpp",
    {
        "src/store.hpp": """\
#pragma once
#include <string>

namespace shop {

// Keeps items.
class Store : public Base {
  int hidden_;

 public:
  explicit Store(const std::string& path, int limit) : hidden_(limit) {}
  virtual std::vector<Item> find(const std::string& prefix, size_t most) const;
  int count = 0;

 private:
  void secret();
};

template <typename T>
T parse_item(std::string_view text, bool strict);

}  // namespace shop
""",
        "src/base.hpp": """\
class Base {
 public:
  virtual void close(bool flush) = 0;
};
""",
        "src/store.cpp": """\
#include "store.hpp"

std::vector<Item> shop::Store::find(const std::string& prefix, size_t most) const {
  SECRET_BODY;
}
""",
        "src/main.cpp": "",
    },
    {
        "a method": Place(
            """\
#include "store.hpp"

int main() {
  shop::Store store("a", 1);
  store.find(‸
}
""",
            ("virtual std::vector<Item> find(const std::string& prefix, size_t most) const;",),
        ),
        "a constructor": Place(
            """\
#include "store.hpp"

int main() {
  auto store = new Store(‸
}
""",
            ("explicit Store(const std::string& path, int limit);",),
        ),
        "a function of a namespace": Place(
            """\
#include "store.hpp"

int main() {
  auto item = shop::parse_item<Item>(text, true);
  shop::parse_item(‸
}
""",
            ("T parse_item(std::string_view text, bool strict);",),
        ),
        "an inherited method": Place(
            """\
#include "store.hpp"

void end(std::unique_ptr<shop::Store> store) {
  store->close(‸
}
""",
            ("virtual void close(bool flush) = 0;",),
        ),
    },
    ("src/store.hpp", "parse_item(std::string_view text", "parse_item(std::string_view line"),
)
PROJECTS: Mapping[str, Project] = {
    "typescript": TYPESCRIPT,
    "javascript": JAVASCRIPT,
    "go": GO,
    "rust": RUST,
    "java": JAVA,
    "c": C,
    "cpp": CPP,
}
