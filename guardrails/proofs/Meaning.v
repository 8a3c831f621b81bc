(** What a form and a stress set mean, in rational scenarios.

    Real moves are ratios of prices, so a scenario is a list of rationals, one move a driver. The
    integer readings [form_at] and [holds] are those of [agent_fund/guard/kernel/form.py]; they are
    compared with the Python ones, case by case, so that the words below mean what the kernel's
    do. *)
Require Import ZArith QArith Qminmax Lqa List Bool Lia.
From AgentFund Require Import Checker.
Import ListNotations.
Local Open Scope Q_scope.

Definition scenario := list Q.

(** The move of one driver; 0 where there is none. *)
Definition move (x : scenario) (i : Z) : Q := match get x i with Some v => v | None => 0 end.

Fixpoint dot (a : list Z) (x : scenario) : Q :=
  match a, x with
  | c :: a', v :: x' => inject_Z c * v + dot a' x'
  | _, _ => 0
  end.

Definition hinge_value (h : hinge) (x : scenario) : Q :=
  inject_Z (weight h) * Qmax 0 (inject_Z (slope h) * move x (driver h) + inject_Z (offset h)).

Definition hinges_value (hs : list hinge) (x : scenario) : Q :=
  fold_right (fun h sum => hinge_value h x + sum) 0 hs.

(** The value of a form in a scenario. *)
Definition value (f : form) (x : scenario) : Q :=
  inject_Z (constant f) + dot (linear f) x + hinges_value (hinges f) x.

(** One move a driver, each within its interval. *)
Fixpoint in_box (b : box) (x : scenario) : Prop :=
  match b, x with
  | [], [] => True
  | (low, high) :: b', v :: x' => (inject_Z low <= v /\ v <= inject_Z high) /\ in_box b' x'
  | _, _ => False
  end.

Definition terms_value (ts : list (Z * Z)) (x : scenario) : Q :=
  fold_right (fun t sum => inject_Z (snd t) * move x (fst t) + sum) 0 ts.

Definition satisfies (rs : list row) (x : scenario) : Prop :=
  Forall (fun r => terms_value (terms r) x <= inject_Z (limit r)) rs.

(** The scenarios that a stress set declares. *)
Definition in_set (s : stress_set) (x : scenario) : Prop :=
  in_box (intervals s) x /\ satisfies (rows s) x.

(** Nothing moves. *)
Definition no_move (s : stress_set) : scenario := map (fun _ => 0) (intervals s).

(** * The same in integers, as the kernel reads them *)

Definition move_at (x : list Z) (i : Z) : Z := match get x i with Some v => v | None => 0%Z end.

Fixpoint dot_at (a x : list Z) : Z :=
  match a, x with
  | c :: a', v :: x' => c * v + dot_at a' x'
  | _, _ => 0
  end%Z.

Definition hinge_at (h : hinge) (x : list Z) : Z :=
  (weight h * Z.max 0 (slope h * move_at x (driver h) + offset h))%Z.

Definition form_at (f : form) (x : list Z) : Z :=
  (constant f + dot_at (linear f) x + fold_right (fun h sum => hinge_at h x + sum) 0 (hinges f))%Z.

Definition terms_at (ts : list (Z * Z)) (x : list Z) : Z :=
  fold_right (fun t sum => (snd t * move_at x (fst t) + sum)%Z) 0%Z ts.

Fixpoint box_holds (b : box) (x : list Z) : bool :=
  match b, x with
  | [], [] => true
  | (low, high) :: b', v :: x' => (low <=? v)%Z && (v <=? high)%Z && box_holds b' x'
  | _, _ => false
  end.

Definition holds (s : stress_set) (x : list Z) : bool :=
  box_holds (intervals s) x && forallb (fun r => (terms_at (terms r) x <=? limit r)%Z) (rows s).

Ltac push := repeat (rewrite inject_Z_plus || rewrite inject_Z_mult || rewrite inject_Z_opp).

Lemma inject_max : forall a b, inject_Z (Z.max a b) == Qmax (inject_Z a) (inject_Z b).
Proof.
  intros a b. destruct (Z.max_spec a b) as [[A B]|[A B]]; rewrite B.
  - rewrite Q.max_r; [reflexivity|]. rewrite <- Zle_Qle. lia.
  - rewrite Q.max_l; [reflexivity|]. rewrite <- Zle_Qle. lia.
Qed.

Lemma get_map : forall A B (g : A -> B) l i, get (map g l) i = option_map g (get l i).
Proof.
  induction l as [|a l IH]; intro i; simpl; [reflexivity|].
  destruct (i =? 0)%Z; [reflexivity|apply IH].
Qed.

Lemma move_integers : forall x i, move (map inject_Z x) i == inject_Z (move_at x i).
Proof.
  intros x i. unfold move, move_at. rewrite get_map. destruct (get x i); reflexivity.
Qed.

Lemma dot_integers : forall a x, dot a (map inject_Z x) == inject_Z (dot_at a x).
Proof.
  induction a as [|c a IH]; intros [|v x]; simpl; try reflexivity. rewrite IH. push. ring.
Qed.

Lemma terms_integers : forall ts x, terms_value ts (map inject_Z x) == inject_Z (terms_at ts x).
Proof.
  induction ts as [|[i c] ts IH]; intro x; simpl; [reflexivity|].
  rewrite IH, move_integers. push. ring.
Qed.

(** In a scenario of integers a form has the value that the kernel computes. *)
Theorem value_integers : forall f x, value f (map inject_Z x) == inject_Z (form_at f x).
Proof.
  intros f x. unfold value, form_at. rewrite dot_integers. push.
  assert (E : forall hs, hinges_value hs (map inject_Z x)
    == inject_Z (fold_right (fun h sum => hinge_at h x + sum) 0 hs)%Z).
  { induction hs as [|h hs IH]; [reflexivity|].
    change (hinges_value (h :: hs) (map inject_Z x))
      with (hinge_value h (map inject_Z x) + hinges_value hs (map inject_Z x)).
    rewrite IH. unfold hinge_value. rewrite move_integers. cbn [fold_right]. unfold hinge_at. push.
    rewrite inject_max. push. reflexivity. }
  rewrite E. reflexivity.
Qed.

(** A scenario of integers is declared if and only if the kernel says that the set holds it. *)
Theorem holds_in_set : forall s x, holds s x = true <-> in_set s (map inject_Z x).
Proof.
  intros s x. unfold holds, in_set. rewrite andb_true_iff.
  assert (B : forall b y, box_holds b y = true <-> in_box b (map inject_Z y)).
  { induction b as [|[low high] b IH]; intros [|v y]; simpl; try tauto; try easy.
    rewrite !andb_true_iff, IH, !Z.leb_le, <- !Zle_Qle. tauto. }
  rewrite B. unfold satisfies. rewrite forallb_forall, Forall_forall.
  split; intros [X R]; split; try assumption; intros r I; specialize (R r I); simpl in *.
  - rewrite terms_integers, <- Zle_Qle. apply Z.leb_le. assumption.
  - rewrite terms_integers, <- Zle_Qle in R. apply Z.leb_le. assumption.
Qed.
