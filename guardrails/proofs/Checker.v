(** The checker: the smallest bound that a certificate proves, in exact integers.

    This is [agent_fund/guard/kernel/check.py] over again, definition for definition: [Z./] is
    Python's [//] (it rounds down). [Soundness.v] proves it; [Extract.v] makes a program of it, and
    that program must agree with the Python kernel on every verdict and every bound.

    Drivers are numbered from 0; what names one that is not there is refused ([None]). *)
Require Import ZArith List Bool.
Import ListNotations.
Local Open Scope Z_scope.

(** Fixed-point unit of certificates, 2^40: tangents and multipliers are in units of 1/one. *)
Definition one : Z := 1099511627776.
(** A driver is a return in units of 1/1,000,000, so a fall of everything is [-scale]. *)
Definition scale : Z := 1000000.
(** How many splits may stand above a leaf. *)
Definition max_depth : Z := 64.

(** The element of a list with this number, if there is one. *)
Fixpoint get {A : Type} (l : list A) (i : Z) : option A :=
  match l with
  | [] => None
  | a :: rest => if i =? 0 then Some a else get rest (i - 1)
  end.

(** The list with [a] in place of the element that has this number. *)
Fixpoint put {A : Type} (l : list A) (i : Z) (a : A) : list A :=
  match l with
  | [] => []
  | b :: rest => if i =? 0 then a :: rest else b :: put rest (i - 1) a
  end.

(** [weight * max(0, slope * x[driver] + offset)]: a nonlinearity in one driver. *)
Record hinge := Hinge { weight : Z; driver : Z; slope : Z; offset : Z }.
(** [constant + linear . x + sum of hinges]. *)
Record form := Form { constant : Z; linear : list Z; hinges : list hinge }.
(** One (low, high) a driver. *)
Definition box := list (Z * Z).
(** [sum of coefficient * x[driver] <= limit] over the pairs (driver, coefficient). *)
Record row := Row { terms : list (Z * Z); limit : Z }.
Record stress_set := StressSet { intervals : box; rows : list row }.

(** A tree of splits; a leaf has one tangent for each hinge of negative weight, in the form's
    order, and multipliers (row, y), rows ascending. *)
Inductive certificate :=
  | Leaf (tangents : list Z) (multipliers : list (Z * Z))
  | Split (split_driver at_ : Z) (below above : certificate).

(** What a leaf adds up: a constant and one coefficient a driver, in units of 1/one. *)
Definition affine := (Z * list Z)%type.

Fixpoint add_at (a : list Z) (i v : Z) : option (list Z) :=
  match a with
  | [] => None
  | c :: rest =>
      if i =? 0 then Some (c + v :: rest)
      else match add_at rest (i - 1) v with Some rest' => Some (c :: rest') | None => None end
  end.

(** [f + m * x[i] + c]. *)
Definition add_line (f : affine) (i m c : Z) : option affine :=
  match add_at (snd f) i m with Some a => Some (fst f + c, a) | None => None end.

(** A line above both ends of a convex hinge, as (slope, offset). *)
Definition chord (h : hinge) (low high : Z) : Z * Z :=
  let left := slope h * low + offset h in
  let right := slope h * high + offset h in
  if (0 <=? left) && (0 <=? right) then (weight h * slope h * one, weight h * offset h * one)
  else if (left <=? 0) && (right <=? 0) then (0, 0)
  else
    let l := weight h * Z.max 0 left * one in
    let r := weight h * Z.max 0 right * one in
    let rise := (r - l) / (high - low) in
    (rise, Z.max (l - rise * low) (r - rise * high)).

(** The line [t/one] of the way from zero to a concave hinge's own line. *)
Definition tangent (h : hinge) (t : Z) : Z * Z :=
  (t * weight h * slope h, t * weight h * offset h).

Fixpoint add_hinges (b : box) (hs : list hinge) (ts : list Z) (f : affine) : option affine :=
  match hs with
  | [] => match ts with [] => Some f | _ :: _ => None end
  | h :: hs' =>
      match get b (driver h) with
      | None => None
      | Some (low, high) =>
          if 0 <=? weight h then
            let (m, c) := chord h low high in
            match add_line f (driver h) m c with
            | Some f' => add_hinges b hs' ts f'
            | None => None
            end
          else
            match ts with
            | [] => None
            | t :: ts' =>
                if (0 <=? t) && (t <=? one) then
                  let (m, c) := tangent h t in
                  match add_line f (driver h) m c with
                  | Some f' => add_hinges b hs' ts' f'
                  | None => None
                  end
                else None
            end
      end
  end.

(** [f - y * terms]. *)
Fixpoint subtract_terms (y : Z) (ts : list (Z * Z)) (f : affine) : option affine :=
  match ts with
  | [] => Some f
  | (i, c) :: ts' =>
      match add_line f i (- (y * c)) 0 with
      | Some f' => subtract_terms y ts' f'
      | None => None
      end
  end.

(** [f + sum of y * (limit - terms)]; [previous] is the last row used. *)
Fixpoint add_rows (rs : list row) (previous : Z) (ys : list (Z * Z)) (f : affine) : option affine :=
  match ys with
  | [] => Some f
  | (i, y) :: ys' =>
      if (previous <? i) && (0 <? y) then
        match get rs i with
        | None => None
        | Some r =>
            match subtract_terms y (terms r) (fst f + y * limit r, snd f) with
            | Some f' => add_rows rs i ys' f'
            | None => None
            end
        end
      else None
  end.

(** The largest value of [a . x] on the box. *)
Fixpoint support (b : box) (a : list Z) : option Z :=
  match b, a with
  | [], [] => Some 0
  | (low, high) :: b', c :: a' =>
      match support b' a' with
      | Some s => Some (c * (if 0 <? c then high else low) + s)
      | None => None
      end
  | _, _ => None
  end.

(** [total / one], rounded up. *)
Definition ceiling (total : Z) : Z := - ((- total) / one).

(** The bound that a leaf proves on a box. *)
Definition leaf_bound (f : form) (rs : list row) (b : box) (ts : list Z) (ys : list (Z * Z))
  : option Z :=
  match add_hinges b (hinges f) ts (constant f * one, map (fun c => c * one) (linear f)) with
  | None => None
  | Some g =>
      match add_rows rs (-1) ys g with
      | None => None
      | Some (total, residual) =>
          match support b residual with
          | Some s => Some (ceiling (total + s))
          | None => None
          end
      end
  end.

(** The bound that a tree proves on a box; [depth] splits are still allowed. *)
Fixpoint tree_bound (f : form) (rs : list row) (c : certificate) (b : box) (depth : Z) : option Z :=
  match c with
  | Leaf ts ys => leaf_bound f rs b ts ys
  | Split i at_ below above =>
      if 0 <? depth then
        match get b i with
        | None => None
        | Some (low, high) =>
            if (low <? at_) && (at_ <? high) then
              match tree_bound f rs below (put b i (low, at_)) (depth - 1),
                    tree_bound f rs above (put b i (at_, high)) (depth - 1) with
              | Some p, Some q => Some (Z.max p q)
              | _, _ => None
              end
            else None
        end
      else None
  end.

(** Pairs (driver, coefficient) with drivers ascending from above [previous], none of them past
    the box, and no coefficient zero. *)
Fixpoint terms_ok (b : box) (previous : Z) (ts : list (Z * Z)) : bool :=
  match ts with
  | [] => true
  | (i, c) :: ts' =>
      (previous <? i) && negb (c =? 0)
      && match get b i with Some _ => true | None => false end
      && terms_ok b i ts'
  end.

(** Every driver boxed around 0 and above the loss of everything; rows that name drivers of the
    box and admit the no-move scenario. *)
Definition stress_ok (s : stress_set) : bool :=
  forallb (fun i => (- scale <=? fst i) && (fst i <=? 0) && (0 <=? snd i)) (intervals s)
  && forallb (fun r => (0 <=? limit r) && terms_ok (intervals s) (-1) (terms r)) (rows s).

(** The least integer that the certificate proves to be a bound of the form on the whole stress
    set; [None] if anything is malformed. *)
Definition proved_bound (f : form) (s : stress_set) (c : certificate) : option Z :=
  if stress_ok s then tree_bound f (rows s) c (intervals s) max_depth else None.

(** Whether the certificate proves this claim. *)
Definition check (f : form) (s : stress_set) (c : certificate) (claim : Z) : bool :=
  match proved_bound f s c with Some b => b <=? claim | None => false end.
